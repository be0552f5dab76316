"""What the check-up says of an OpenClaw: what it sees, since when, and what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from time import time
from typing import Any

import pytest
from aiohttp import ClientSession
from clawatch_plugins.openclaw.settings import OpenClawSettings

from clawatch.domain.remarks import Level
from clawatch.domain.time import DAY, HOUR
from clawatch.settings import Surroundings
from clawatch.testing.openclaw import StandInGateway

NOW = round(time() * 1000)


async def said(is_online: bool = False, **told: Any) -> dict[str, Level]:
    settings = OpenClawSettings.model_validate({"token": "gateway-token", **told})
    if not is_online:
        return {remark.text: remark.level for remark in await settings.examine(Surroundings("http://127.0.0.1"))}
    async with ClientSession() as session:
        remarks = await settings.examine(Surroundings("http://127.0.0.1", session))
    return {remark.text: remark.level for remark in remarks}


def one(told: dict[str, Level], words: str) -> Level:
    (found,) = [level for text, level in told.items() if words in text]
    return found


async def test_it_says_what_a_database_holds_and_since_when(disk: Any) -> None:
    disk.insert("s-1", disk.user("e1", NOW - DAY), at=NOW - DAY)
    disk.insert("s-2", disk.user("e1", NOW - HOUR), at=NOW - HOUR)
    disk.audit("agent.run.started", "started", "r1", NOW)
    told = await said(state_dir=disk.root, gateway="")
    assert one(told, "2 sessions in the database since ") is Level.OK
    assert any("the newest 1 h" in text for text in told)
    assert one(told, "the audit ledger tells of runs") is Level.OK


async def test_older_files_beside_a_newer_database_count_once(disk: Any) -> None:
    disk.append("s-1", disk.user("e1", NOW - DAY))
    os.utime(disk.file("s-1"), (time() - 86_400, time() - 86_400))
    disk.insert("s-1", disk.user("e1", NOW - DAY), at=NOW)
    told = await said(state_dir=disk.root, gateway="")
    assert one(told, "1 older file beside the database; what is in both counts once") is Level.OK


async def test_files_that_are_newer_than_the_database_are_wondered_at(disk: Any) -> None:
    disk.append("s-1", disk.user("e1", NOW))
    disk.insert("s-1", disk.user("e1", NOW - DAY), at=NOW - DAY)
    assert one(await said(state_dir=disk.root, gateway=""), "newer than its database") is Level.WARNING


async def test_files_that_have_not_grown_for_long_are_told(disk: Any) -> None:
    disk.append("s-1", disk.user("e1", NOW))
    os.utime(disk.file("s-1"), (time() - 9 * 86_400, time() - 9 * 86_400))
    told = await said(state_dir=disk.root, gateway="")
    assert one(told, "no transcript has grown for 9 d") is Level.WARNING


async def test_a_database_of_an_unknown_form_is_wrong(disk: Any) -> None:
    disk.database().execute("DROP TABLE transcript_events")
    assert one(await said(state_dir=disk.root, gateway=""), "(schema 17) is of a form") is Level.ERROR


async def test_a_file_that_is_no_database_is_wrong(disk: Any) -> None:
    path = disk.root / "agents/main/agent/openclaw-agent.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all" * 100)
    assert one(await said(state_dir=disk.root, gateway=""), "cannot be read") is Level.ERROR


@pytest.mark.parametrize("at", ["never", -9e999, 2**62, b"\xff", None])
async def test_times_that_are_none_are_left_out(disk: Any, at: Any) -> None:
    disk.database().execute("DROP TABLE transcript_events")
    disk.database().execute("CREATE TABLE transcript_events (session_id, seq, event_json, created_at)")
    disk.database().execute("INSERT INTO transcript_events VALUES ('s', 1, '{}', ?)", (at,))
    assert one(await said(state_dir=disk.root, gateway=""), "1 session in the database") is Level.OK


async def test_a_missing_state_directory_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OPENCLAW_STATE_DIR", raising=False)
    assert one(await said(), "no state directory of OpenClaw on this machine") is Level.ERROR
    assert one(await said(state_dir=tmp_path / "nowhere"), "is no directory") is Level.ERROR


async def test_without_a_gateway_or_its_token_it_says_what_is_lost(disk: Any) -> None:
    assert one(await said(state_dir=disk.root, gateway=""), "can be watched, not paused") is Level.WARNING
    assert one(await said(state_dir=disk.root, token=""), "no token for the gateway") is Level.WARNING
    assert one(await said(state_dir=disk.root), "gateway ws://127.0.0.1:18789, with a token") is Level.OK


async def test_a_gateway_that_answers_is_found_without_being_let_in(disk: Any, gateway: StandInGateway) -> None:
    told = await said(is_online=True, state_dir=disk.root, gateway=gateway.url)
    assert one(told, "the gateway 2026.9.4 lives, and its WebSocket answers") is Level.OK
    assert gateway.connects == []


async def test_a_gateway_that_is_half_alive_is_wrong(disk: Any, gateway: StandInGateway, monkeypatch: Any) -> None:
    monkeypatch.setattr("clawatch_plugins.openclaw.examining.CHALLENGE_WITHIN", 0.1)
    gateway.is_mute = True
    told = await said(is_online=True, state_dir=disk.root, gateway=gateway.url)
    assert one(told, "half alive") is Level.ERROR


async def test_a_gateway_that_is_not_there_is_wrong(disk: Any, gateway: StandInGateway) -> None:
    await gateway.stop()
    told = await said(is_online=True, state_dir=disk.root, gateway=gateway.url)
    assert one(told, "does not answer") is Level.ERROR


async def test_the_token_is_in_nothing_that_is_said(disk: Any, gateway: StandInGateway) -> None:
    told = await said(is_online=True, state_dir=disk.root, gateway=gateway.url, token="tell-nobody")
    assert not any("tell-nobody" in text for text in told)


async def test_looking_changes_nothing(disk: Any) -> None:
    disk.insert("s-1", disk.user("e1", NOW), at=NOW)
    disk.close()
    before = sorted(path.name for path in disk.root.rglob("*"))
    await said(state_dir=disk.root, gateway="")
    assert sorted(path.name for path in disk.root.rglob("*")) == before
