"""From a file to a configuration, with all mistakes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clawatch.config import ConfigError, Part, find_config, load, load_plugins, reloadable
from clawatch.domain.access import Scope, hash_secret
from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.ports import RetentionPolicy
from clawatch.settings import RateLimit


def names(parts: tuple[Part[Any], ...]) -> list[str]:
    return [part.name for part in parts]


def test_no_file_is_needed(desk: Any) -> None:
    loaded = load(None, desk.environ, installed=desk.installed)
    config = loaded.config
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8787)
    assert config.data_dir == desk.folder / "home" / ".local/share/clawatch"
    assert config.storage.name == "sqlite"
    assert config.auth.fixed_keys == ()
    assert config.auth.loopback == ()
    assert config.auth.token_ttl == HOUR
    assert config.retention.policy == RetentionPolicy(
        events=30 * DAY, minutes=31 * DAY, hours=400 * DAY, alerts=400 * DAY
    )
    assert (config.limits.ingest, config.limits.rest) == (None, RateLimit(600, MINUTE))
    assert config.limits.login == RateLimit(10, MINUTE)
    assert config.routes == ()
    assert loaded.path is None


@pytest.mark.parametrize("url", ['"${WATCH_URL:-}"', '""', '" "', "null"])
def test_an_empty_public_url_is_none(desk: Any, url: str) -> None:
    assert desk.load(f"server: {{public_url: {url}}}").config.server.public_url is None


def test_every_core_key_is_taken_over(desk: Any) -> None:
    desk.environ["OPS"] = "the-key"
    config = desk.load("""
        server: {host: "::1", port: 0, public_url: "https://watch.example.com/", cors_origins: ["https://*.Example.com"],
                 trusted_proxies: [10.0.0.7, 192.168.0.0/16]}
        data_dir: data
        timezone: Europe/Berlin
        auth:
          keys:
            - {name: ops, key: "${OPS}", scopes: [read, control], user: olga, agents: ["build-*"]}
            - {name: unset, key: "${UNSET:-}", scopes: [admin]}
          loopback: [read, ingest]
          token_ttl: 15m
        retention: {events: 7d, rollups: {minute: 2d}}
        limits: {ingest: 100/s, rest: null}
        prices: {my.model: {input: 3, output: 15.5}}
        redact: ["ACME-[0-9]+"]
    """).config
    assert config.server.public_url == "https://watch.example.com"
    assert config.server.cors_origins == ("https://*.example.com",)
    assert config.server.trusted_proxies == ("10.0.0.7/32", "192.168.0.0/16")
    assert config.data_dir == desk.folder / "data"
    assert config.timezone == ZoneInfo("Europe/Berlin")
    [key] = config.auth.fixed_keys
    assert (key.name, key.hash, key.user, key.agents) == ("ops", hash_secret("the-key"), "olga", ("build-*",))
    assert (key.scopes, key.is_fixed) == ((Scope.READ, Scope.CONTROL), True)
    assert config.retention.policy.minutes == 2 * DAY
    assert (config.limits.ingest, config.limits.rest) == (RateLimit(100, 1000), None)
    assert config.prices["my.model"].output == 15.5
    assert config.redact[0].search("see ACME-12")


def test_all_mistakes_are_told_at_once_with_line_and_remedy(desk: Any) -> None:
    assert desk.problems("""\
        server: {port: 87x7, hots: a}
        auth:
          keys:
            - {name: ops, key: "${MISSING}", scopes: [foo]}
        retention: {events: 5 mins}
        limits: {rest: 600}
        agents:
          - {match: a, rules: {stuck: {after: 5}, stuk: {}}}
          - {mach: b}
        rules:
          stuck: {after: 5 mins, tools: {more_then: 1}}
          stuk: {}
        notifiers:
          chat: {chats: [x]}
        routes:
          - {match: {rule: calmm}, notifiers: [chatt]}
          - {match: {severity: high}, notifiers: []}
        plugins: {disabled: [nihgt]}
        plugin: 3
        server: 3
    """) == [
        "config.yaml:1 server.hots: is not known; did you mean host?",
        "config.yaml:1 server.port: must be a whole number",
        ("config.yaml:4 auth.keys[0].key: the environment variable MISSING is not set; "
         "set it, or write ${MISSING:-} where it may be missing"),
        "config.yaml:4 auth.keys[0].scopes[0]: is not known; write 'ingest', 'read', 'control' or 'admin'",
        'config.yaml:5 retention.events: "5 mins" is not a duration; write 5m',
        "config.yaml:6 limits.rest: is not a rate; write it like 10/s, 600/m or 1000/h, or null for no limit",
        "config.yaml:8 agents[0].rules.stuck.after: 5 has no unit; write 5s or 5m",
        "config.yaml:9 agents[1].mach: is not known; did you mean match?",
        "config.yaml:9 agents[1].match: is missing; write it",
        "config.yaml:9 agents[1].rules: is missing; write it",
        'config.yaml:11 rules.stuck.after: "5 mins" is not a duration; write 5m',
        "config.yaml:11 rules.stuck.tools.more_then: is not known; did you mean more_than?",
        "config.yaml:12 rules.stuk: no plugin provides the rule 'stuk'; did you mean stuck?",
        "config.yaml:14 notifiers.chat.chats[0]: must be a whole number",
        "config.yaml:16 routes[0].match.rule: no rule in use matches it; did you mean calm?",
        "config.yaml:16 routes[0].notifiers[0]: no notifier 'chatt' stands under notifiers; did you mean chat?",
        "config.yaml:17 routes[1].match.severity: is not known; write 'info', 'warning' or 'critical'",
        "config.yaml:17 routes[1].notifiers: must not be empty",
        "config.yaml:18 plugins.disabled[0]: there is no plugin 'nihgt'; did you mean night?",
        "config.yaml:19 plugin: is not known; did you mean plugins?",
        "config.yaml:20 server: is there twice, first on line 1; keep one of them",
    ]


@pytest.mark.parametrize(("text", "said"), [
    ("server: {public_url: watch.example.com}", "server.public_url: is not the address of a page"),
    ("server: {cors_origins: ['*']}", "server.cors_origins[0]: is not an origin"),
    ("server: {cors_origins: ['https://a.example/x']}", "server.cors_origins[0]: is not an origin"),
    ("server: {trusted_proxies: [proxy]}", "server.trusted_proxies[0]: is not an IP address or network"),
    ("server: {port: 70000}", "server.port: must be less than or equal to 65535"),
    ("server: {host: 5}", "server.host: must be text; put it in quotes"),
    ("server: none", "server: must be a mapping of keys to values"),
    ("timezone: Mars/Olympus", "timezone: is not a time zone of this machine; write it like Europe/Berlin"),
    ("timezone: ../../etc/passwd", "timezone: is not a time zone"),
    ("auth: {loopback: [admin]}", "auth.loopback[0]: is not known; write 'read', 'ingest' or 'control'"),
    ("auth: {keys: [{name: a b, key: x, scopes: [read]}]}", "auth.keys[0].name: is no name for a key"),
    ("auth: {keys: [{name: a, key: x, scopes: []}]}", "auth.keys[0].scopes: must not be empty"),
    ("auth: {keys: [{name: a, key: x, scopes: [read]}, {name: a, key: y, scopes: [read]}]}",
     "auth: two keys have the name a; give each its own"),
    ("retention: {events: 1s}", "retention.events: is too short; write 1h or more"),
    ("retention: {events: true}", "retention.events: is not a duration; write it like 90s"),
    ("limits: {rest: 0/m}", "limits.rest: is not a rate"),
    ("prices: {m: {input: -1, output: 1}}", "prices.m.input: must be greater than or equal to 0"),
    ("prices: {gpt-4.1: {input: 1}}", 'prices."gpt-4.1".output: is missing; write it'),
    ("redact: ['(']", "redact[0]: is not a regular expression: missing )"),
    ("redact: ['x*']", "redact[0]: matches the empty text"),
    ("redact: x", "redact: must be a list; write [a, b]"),
    ("rules: [stuck]", "rules: must be a mapping of keys to values"),
    ("rules: {stuck: 5m}", "rules.stuck: must be a mapping of settings; write {} for none"),
    ("rules: {stuck: off}", "rules.stuck: must be a mapping of settings; write {enabled: false} to switch it off"),
    ("notifiers: {chat: , token: x}",
     "notifiers.token: must be a mapping of settings; if it belongs to the one above, indent it"),
    ("rules: {stuck: {enabled: perhaps}}", "rules.stuck.enabled: must be true or false"),
    ("rules: {stuck: {action: brake}}", "rules.stuck.action: is not known; write 'none', 'pause' or 'stop'"),
    ("rules: {stuck: {for: -1}}", "rules.stuck.for: is negative"),
    ("rules: {x: {use: [stuck]}}", "rules.x.use: must be the name of what is to be used"),
    ("storage: {use: postgres}", "storage.use: no plugin provides the store 'postgres'; there are: sqlite, memory"),
    ("storage: {sqlit: {}}", "storage.sqlit: no plugin provides the store 'sqlit'; did you mean sqlite?"),
    ("storage: {memory: {size: 1}}", "storage.memory.size: is not known; there are none"),
    ("storage: {sqlite: 3}", "storage.sqlite: must be a mapping of keys to values"),
    ("apis: {door: {x: 1}}", "apis.door.x: is not known; there are none"),
    ("notifiers: {broken: {}}",
     "notifiers.broken: the plugin broken (clawatch) cannot be used: RuntimeError: no luck"),
    ("{plugins: {disabled: [all]}, storage: {use: all}}",
     "storage.use: the plugin all is disabled; take it out of plugins.disabled, or take this out"),
    ("agents: [{match: a, rules: {night: {}}}]", "agents[0].rules.night: no rule 'night' is in use"),
    ("plugins: {directory: 3}", "plugins.directory: must be text; put it in quotes"),
])
def test_a_mistake_says_what_to_write_instead(desk: Any, text: str, said: str) -> None:
    [problem] = desk.problems(text)
    assert problem.startswith(f"config.yaml:1 {said}")


def test_no_message_shows_a_secret(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2-in-a-file")
    desk.environ["SECRET"] = "hunter2-in-the-environment"
    problems = desk.problems("""
        auth: {keys: [{name: a, key: {hunter2: 1}, scopes: [read]}, {name: hunter2 and more, key: x, scopes: [read]}]}
        server: {port: "hunter2", host: ["hunter2"], public_url: "https://hunter2@x"}
        retention: {events: "${SECRET}", alerts: !file secret}
        rules: {stuck: {after: hunter2-and-what-follows-it}}
        notifiers: {chat: {token: [hunter2], chats: hunter2}}
        redact: ["hunter2("]
    """)
    assert len(problems) == 11
    assert "hunter2" not in "\n".join(problems)


def test_what_a_variable_holds_is_not_shown_even_where_it_is_harmless(desk: Any) -> None:
    desk.environ["SECRET"] = "5 mins"
    [problem] = desk.problems("rules: {stuck: {after: '${SECRET}'}}")
    assert "5 mins" not in problem


def test_blocks_may_be_left_empty(desk: Any) -> None:
    config = desk.load("""
        server:
        auth:
        rules:
          stuck:
        storage:
          sqlite:
        agents:
        routes:
        plugins:
    """).config
    assert names(config.rules) == ["stuck", "calm"]


def test_official_parts_run_unnamed_and_notifiers_only_when_named(desk: Any) -> None:
    config = desk.load("").config
    assert names(config.rules) == ["stuck", "calm"]
    assert names(config.enrichers) == ["prices"]
    assert config.notifiers == ()


def test_a_third_partys_rules_and_notifiers_do_nothing_until_named(desk: Any) -> None:
    assert "night" not in names(desk.load("").config.rules)
    config = desk.load("{rules: {night: {}}, notifiers: {pager: {}}}").config
    assert names(config.rules) == ["stuck", "calm", "night"]
    assert names(config.notifiers) == ["pager"]
    assert config.rules[-1].plugin == "night"


def test_a_third_partys_door_opens_by_itself_unless_it_needs_to_be_told_something(desk: Any) -> None:
    assert names(desk.load("").config.apis) == ["door", "theirs"]
    assert names(desk.load("apis: {needy: {address: x}}").config.apis) == ["door", "theirs", "needy"]
    [problem] = desk.problems("apis: {needy: {}}")
    assert problem == "config.yaml:1 apis.needy.address: is missing; write it"


def test_two_parts_of_one_kind_have_names_of_their_own(desk: Any) -> None:
    config = desk.load("""
        notifiers:
          ops: {use: chat, token: a, chats: [1]}
          dev: {use: chat, token: b}
          unset: {use: chat, token: ""}
        routes: [{match: {severity: critical}, notifiers: [ops, unset]}]
    """).config
    assert [(part.name, part.use, part.settings.chats) for part in config.notifiers] == [
        ("ops", "chat", (1,)), ("dev", "chat", ()),
    ]
    assert config.routes[0].match.severity == "critical"
    assert config.routes[0].match.rule == ""


def test_the_stores_settings_stand_under_its_name(desk: Any) -> None:
    config = desk.load("storage: {use: sqlite, sqlite: {durability: normal}, memory: {}}").config
    assert (config.storage.name, config.storage.settings.durability) == ("sqlite", "normal")


def test_the_operators_prices_reach_the_enricher_of_that_name(desk: Any) -> None:
    config = desk.load("{prices: {m: {input: 1, output: 2}}, enrichers: {prices: {extra: 5}}}").config
    [part] = config.enrichers
    assert part.settings.overrides["m"].output == 2
    assert part.settings.extra == 5
    assert desk.load("").config.enrichers[0].settings.overrides == {}


def test_a_rule_has_other_settings_for_some_agents_and_the_first_match_wins(desk: Any) -> None:
    config = desk.load("""
        rules: {stuck: {after: 5m, tools: {more_than: 7}}, calm: {enabled: false}}
        agents:
          - {match: "build-*", rules: {stuck: {after: 30m, tools: {within: 2m}}}}
          - {match: "build-1", rules: {stuck: {after: 1m}}}
          - {match: "night", rules: {calm: {enabled: true}, stuck: }}
    """).config
    assert config.rule_settings("stuck", "other").after == 5 * MINUTE
    built = config.rule_settings("stuck", "build-1", "night")
    assert (built.after, built.tools.more_than, built.tools.within) == (30 * MINUTE, 7, 2 * MINUTE)
    assert config.rule_settings("calm", "build-1", "night").enabled is False
    assert config.rule_settings("calm", "x", "night").enabled is True
    assert config.rule_settings("calm", "x", "").enabled is False
    assert config.rule_settings("stuck", "x", "night").after == 5 * MINUTE
    assert config.rule_settings("stuck", "Build-1").after == 5 * MINUTE


def test_what_the_command_line_says_goes_before_the_file(desk: Any) -> None:
    config = desk.load("server: {host: 0.0.0.0, port: 1}", server={"port": 0}, data_dir="/tmp/elsewhere").config
    assert (config.server.host, config.server.port) == ("0.0.0.0", 0)
    assert config.data_dir == Path("/tmp/elsewhere")
    assert desk.problems("server: {port: 1}", server={"port": 70_000}) == [
        "command line server.port: must be less than or equal to 65535",
    ]


def test_the_data_directory_is_systemds_unless_the_file_names_one(desk: Any) -> None:
    desk.environ["STATE_DIRECTORY"] = "/var/lib/clawatch:/var/lib/other"
    assert desk.load("").config.data_dir == Path("/var/lib/clawatch")
    assert desk.load("data_dir: ~/x").config.data_dir == desk.folder / "home" / "x"


def test_a_loose_directory_is_seen_from_the_files_place(desk: Any) -> None:
    plugins = desk.folder / "plugins"
    plugins.mkdir(mode=0o755)
    (plugins / "loose.py").write_text("from fake_acme_night import register_rules\n")
    (plugins / "loose.py").chmod(0o644)
    registry = desk.load("{plugins: {directory: plugins, disabled: [night]}, rules: {night: {}}}").registry
    assert registry.rules["night"].plugin == "loose"


def test_plugins_can_be_listed_although_the_rest_is_wrong(desk: Any) -> None:
    desk.path.write_text("{server: 3, plugins: {disabled: [all]}}")
    states = {report.name: report.state for report in load_plugins(desk.path, desk.environ).reports}
    assert states["all"] == "disabled"
    assert states["night"] == "loaded"


def test_only_some_changes_need_a_restart(desk: Any) -> None:
    old = desk.load("").config
    assert reloadable(old, desk.load("{rules: {stuck: {after: 1m}}, timezone: UTC}").config) == []
    new = desk.load("{server: {port: 1}, data_dir: /x, storage: {sqlite: {durability: normal}}}").config
    assert reloadable(old, new) == ["server", "data_dir", "storage"]


# -- finding the file ---------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home" / ".config/clawatch/config.yaml"
    home.parent.mkdir(parents=True)
    return {"cwd": tmp_path / "config.yaml", "home": home, "named": tmp_path / "named.yaml"}


def test_the_file_is_looked_for_in_order(places: dict[str, Path], tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    for place in places.values():
        place.write_text("")
    assert find_config(places["named"], {"CLAWATCH_CONFIG": str(places["home"])}) == places["named"]
    assert find_config(None, {**environ, "CLAWATCH_CONFIG": str(places["named"])}) == places["named"]
    assert find_config(None, environ) == Path("config.yaml")
    places["cwd"].unlink()
    assert find_config(None, environ) == places["home"]
    places["home"].unlink()
    if not Path("/etc/clawatch/config.yaml").exists():
        assert find_config(None, environ) is None


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        find_config(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="there is no such file"):
        find_config(None, {"CLAWATCH_CONFIG": str(tmp_path / "none.yaml")})
