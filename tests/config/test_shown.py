"""The configuration as people may see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from clawatch.config.loading import load
from clawatch.config.shown import HIDDEN, NOT_SET, shown

SECRETS = (
    "cw_key_of_ops", "1234:bot-token", "hooks.example/T0/secret", "Bearer xyz", "whsec_c2VjcmV0", "hc-ping.com/abc",
)


def shown_of(home: Path, text: str = "") -> dict[str, Any]:
    (home / "config.yaml").write_text(text)
    return shown(load(home / "config.yaml", environ={"HOME": str(home)}).config)


def test_every_default_is_filled_in_and_durations_read_as_in_the_file(tmp_path: Path) -> None:
    config = shown_of(tmp_path)
    assert config["rules"]["stuck"] == {
        "enabled": True, "severity": None, "for": "0", "resolve_after": "0", "repeat": "4h", "action": "none",
        "after": "5m",
    }
    assert config["limits"]["rest"] == "600/m"
    assert config["retention"]["rollups"] == {"minute": "31d", "hour": "400d"}
    assert config["rules"]["cost"]["limits"] == [{"per": "total", "usd": 10.0, "scope": "agent"}]


def test_no_secret_is_in_it(tmp_path: Path) -> None:
    config = shown_of(tmp_path, """
        auth: {keys: [{name: ops, key: cw_key_of_ops, scopes: [admin]}]}
        notifiers:
          telegram: {bot_token: "1234:bot-token", chats: [7]}
          hook: {use: webhook, url: "https://hooks.example/T0/secret", secret: whsec_c2VjcmV0,
                 headers: {Authorization: Bearer xyz}}
        sources: {heartbeat: {url: "https://hc-ping.com/abc"}}
    """)
    text = json.dumps(config)
    assert [secret for secret in SECRETS if secret in text] == []
    assert config["auth"]["keys"][0] == {
        "name": "ops", "key": HIDDEN, "scopes": ["admin"], "user": "", "agents": ["*"]
    }
    hook = config["notifiers"]["hook"]
    assert (hook["use"], hook["url"], hook["headers"]) == ("webhook", HIDDEN, {"Authorization": HIDDEN})
    assert config["sources"]["heartbeat"]["fail_url"] == NOT_SET


def test_overrides_are_shown_with_all_that_holds_for_those_agents(tmp_path: Path) -> None:
    config = shown_of(tmp_path, "agents: [{match: 'build-*', rules: {stuck: {after: 30m}}}]")
    [override] = config["agents"]
    assert (override["match"], override["rules"]["stuck"]["after"]) == ("build-*", "30m")


def test_it_is_plain_json(tmp_path: Path) -> None:
    msgspec.json.encode(shown_of(tmp_path, "timezone: Europe/Berlin\nredact: [ACME]"))
