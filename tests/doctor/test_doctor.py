"""What the check-up finds, and what it says to do."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from clawatch.cli import main
from clawatch.doctor import Finding, examine, machine
from clawatch.domain.remarks import Level
from clawatch.domain.time import HOUR
from clawatch.testing.app import run_app
from clawatch.testing.telegram import TOKEN, BotApi, Fault

TOO_SHORT = "cw_guess-me"


@dataclass
class Patient:
    """Who is examined: a configuration, and a data directory."""

    home: Path

    def write(self, **config: Any) -> Path:
        path = self.home / "config.yaml"
        path.write_text(json.dumps({"data_dir": str(self.home / "data"), "server": {"port": 0}, **config}))
        path.chmod(0o600)
        return path

    async def examine(self, is_online: bool = False, **config: Any) -> list[Finding]:
        return [finding async for finding in examine(self.write(**config), {}, is_online)]

    async def said(self, level: Level, is_online: bool = False, **config: Any) -> list[str]:
        found = await self.examine(is_online, **config)
        assert all(one.remark.remedy for one in found if one.remark.level is not Level.OK), "each has its remedy"
        return [f"{one.section}: {one.remark.text}" for one in found if one.remark.level is level]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


@pytest.fixture
async def hook() -> AsyncIterator[str]:
    """Somebody who takes webhooks; an hour ahead of us."""

    async def take(request: web.Request) -> web.Response:
        assert request.method == "HEAD", "nothing is to be announced"
        return web.Response(status=405, headers={"Date": "Thu, 01 Jan 2099 00:00:00 GMT"})

    app = web.Application()
    app.router.add_route("*", "/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_a_new_installation_is_well_and_nothing_is_made_by_looking(patient: Patient) -> None:
    assert await patient.said(Level.ERROR) == []
    assert sorted(path.name for path in patient.home.iterdir()) == ["config.yaml"]


async def test_mistakes_in_the_configuration_are_told_with_their_lines(patient: Patient) -> None:
    said = await patient.said(Level.ERROR, rules={"stuck": {"after": "5 mins"}})
    assert len(said) == 1
    assert "config.yaml:1 rules.stuck.after" in said[0]


async def test_nobody_being_told_is_a_warning(patient: Patient) -> None:
    assert any("nobody is told" in one for one in await patient.said(Level.WARNING))


async def test_a_configuration_that_others_may_change_is_wrong_and_secrets_in_it_are_named(patient: Patient) -> None:
    path = patient.write(auth={"keys": [{"name": "ops", "key": "s" * 30, "scopes": ["admin"]}]})
    path.chmod(0o664)
    found = [finding.remark async for finding in examine(path, {})]
    assert any("can be changed by others" in one.text and one.level is Level.ERROR for one in found)
    assert any("auth.keys ops" in one.text for one in found)
    assert "s" * 30 not in str(found)


async def test_an_open_data_directory_is_a_warning(patient: Patient) -> None:
    (patient.home / "data").mkdir(mode=0o755)
    (patient.home / "data").chmod(0o755)
    assert any(one.startswith("permissions: ") and "open to others" in one for one in await patient.said(Level.WARNING))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_directory_that_cannot_be_made_is_wrong(patient: Patient) -> None:
    patient.home.chmod(0o500)
    assert any("cannot be made" in one for one in await patient.said(Level.ERROR, data_dir="/proc/nowhere"))


@pytest.mark.parametrize(
    ("free", "level"), [(10**6, Level.ERROR), (10**8, Level.WARNING), (4 * 10**10, Level.WARNING), (10**12, Level.OK)]
)
def test_disk_space(free: int, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"total": 10**12 * 2, "free": free})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: usage)
    assert next(machine.of_disk(tmp_path / "not" / "there")).level is level


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.4, Level.OK), (-7, Level.WARNING), (61, Level.ERROR), (-600, Level.ERROR)]
)
def test_drift(ahead: float, level: Level) -> None:
    assert machine.of_drift(ahead).level is level


async def test_keys_that_can_be_guessed_or_heard_are_told(patient: Patient) -> None:
    said = await patient.said(
        Level.WARNING, server={"host": "0.0.0.0", "port": 1},
        auth={"keys": [{"name": "ops", "key": TOO_SHORT, "scopes": ["admin"]}]},
    )
    assert any("the key ops is short" in one for one in said)
    assert any("travel in the clear" in one for one in said)


async def test_what_a_store_keeps_is_looked_at(patient: Patient) -> None:
    async with run_app(patient.home, {"storage": {"use": "sqlite"}}) as app:
        await app.daemon.access.create_key("old", ["read"], ["*"], "", app.clock.now().wall + 1)  # type: ignore[list-item]
        await app.daemon.store.put_secret("alive_at", "0")
    with contextlib.closing(sqlite3.connect(patient.home / "data" / "clawatch.db", isolation_level=None)) as con:
        con.execute("UPDATE secrets SET value = ? WHERE name = 'alive_at'", (str(4_000_000_000_000 + HOUR),))
    assert any("in the future" in one for one in await patient.said(Level.ERROR))
    warnings = await patient.said(Level.WARNING)
    assert any("the key old has expired" in one for one in warnings)
    assert any("no key has the scope admin" in one for one in warnings)


async def test_a_damaged_store_is_wrong(patient: Patient) -> None:
    (patient.home / "data").mkdir(mode=0o700)
    (patient.home / "data" / "clawatch.db").write_bytes(b"not a database" * 1000)
    assert any(one.startswith("store: ") for one in await patient.said(Level.ERROR))


async def test_a_running_daemon_is_asked_how_it_is(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {"storage": {"use": "sqlite"}, "server": {"port": port}}
    async with run_app(patient.home, config) as app:
        assert any("it runs and answers" in one for one in await patient.said(Level.OK, **config))
        app.daemon.rules.rules[0].switched_off = "a test"
        assert any("switched off" in one for one in await patient.said(Level.WARNING, **config))
    assert any("it does not run" in one for one in await patient.said(Level.OK, **config))


async def test_telegram_is_asked_only_online_and_what_it_says_is_told(patient: Patient) -> None:
    async with BotApi() as api:
        config = {"notifiers": {"telegram": {"bot_token": TOKEN, "chats": [7, -8], "api_url": api.url}}}
        assert any("a phone cannot reach" in one for one in await patient.said(Level.WARNING, **config))
        assert api.calls == []
        api.faults_by_chat[-8] = Fault(400, "Bad Request: chat not found")
        said = await patient.said(Level.ERROR, True, **config)
        assert [one for one in said if "chat" in one] == ["notifiers: telegram: the bot cannot write to the chat -8"]
        assert {call.method for call in api.calls} == {"getMe", "getChat"}
        config["notifiers"]["telegram"]["bot_token"] = "1:wrong"
        said = await patient.said(Level.ERROR, True, **config)
        assert any("does not know this bot token" in one for one in said)
        assert "1:wrong" not in str(said)


async def test_a_public_address_needs_no_warning(patient: Patient) -> None:
    config = {
        "notifiers": {"telegram": {"bot_token": TOKEN, "chats": [7]}},
        "server": {"public_url": "https://watch.example.com"},
    }
    assert not any("phone" in one for one in await patient.said(Level.WARNING, **config))


async def test_webhooks_and_heartbeats_are_reached_online_without_announcing_anything(
    patient: Patient, hook: str
) -> None:
    config = {
        "notifiers": {"hook": {"use": "webhook", "url": hook}}, "sources": {"heartbeat": {"url": hook, "every": "2m"}},
    }
    said = await patient.said(Level.OK, True, **config)
    assert "notifiers: hook: somebody answers (HTTP 405)" in said
    assert "sources: heartbeat: beats every 2 min; 127.0.0.1 can be reached" in said
    assert any("not signed" in one for one in await patient.said(Level.WARNING, **config))


async def test_others_clocks_show_that_ours_is_wrong(patient: Patient, hook: str) -> None:
    said = await patient.said(Level.ERROR, True, notifiers={"hook": {"use": "webhook", "url": hook}})
    assert any(one.startswith("clock: our clock is") and "behind" in one for one in said)


async def test_nobody_answering_is_wrong(patient: Patient) -> None:
    config = {"notifiers": {"hook": {"use": "webhook", "url": "http://127.0.0.1:9/secret"}}}
    said = await patient.said(Level.ERROR, True, **config)
    assert any("nobody answers" in one for one in said)
    assert "secret" not in str(said)


def test_the_command_says_it_plainly_and_exits_by_what_it_found(patient: Patient) -> None:
    done = CliRunner().invoke(main, ["doctor", "--config", str(patient.write())])
    assert done.exit_code == 0, done.output
    assert "configuration\n  ok" in done.output
    assert "no things are wrong" in done.output
    done = CliRunner().invoke(main, ["doctor", "--config", str(patient.write(rulez={})), "--json"])
    assert done.exit_code == 1
    said = json.loads(done.output)
    assert said["ok"] is False
    assert said["findings"][0]["section"] == "configuration"
    assert said["findings"][0]["remedy"]


def test_a_terminal_is_not_obeyed(patient: Patient) -> None:
    done = CliRunner().invoke(main, ["doctor", "--config", str(patient.write(**{"\x1b[31mred": 1}))])
    assert done.exit_code == 1
    assert "\x1b[31mred" not in done.output
