"""A disk that is full, damaged or not ours: nothing acknowledged is lost, and one clear line says what to do."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clawatch.domain.time import MINUTE
from clawatch.ports import StoreUnavailable
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock

Until = Callable[..., Awaitable[Any]]


async def test_a_full_disk_is_told_survived_and_recovered_from(
    launcher: Any, disk: Any, hook: Any, until: Until, teller_of: Any, moment: Callable[[int], str]
) -> None:
    daemon = await launcher.start({
        "data_dir": str(disk.path / "data"),
        "rules": {"stuck": {"after": "2s"}},
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}},
    })
    teller = teller_of(daemon)
    await teller.tell("silent")
    beating = asyncio.create_task(teller.beat("alive"))
    acknowledged = await fill_up(teller, disk)

    refused = await teller.tell("busy", id="refused")
    assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (503, True)
    assert set(await refused.json()) == {"error"}
    await until(lambda: told(hook, "cannot write its database"))
    assert (await teller.get("/health"))[1]["status"] == "degraded"
    assert (await teller.get("/readyz"))[0] == 503
    assert (await teller.get("/api/agents"))[0] == 200  # it is watched on

    await asyncio.sleep(3.0)  # it falls silent for long enough while nothing can be stored
    before = moment(int(time.time() * 1000))
    assert hook.alerts() == set()
    disk.free()
    await until(lambda: is_taken(teller, "busy", "after"))
    await until(lambda: is_so("silent" in hook.alerts()))
    [alert] = [a for a in (await teller.get("/api/alerts?agentId=silent"))[1]["alerts"] if a["type"] == "stuck"]
    assert alert["timestamp"] < before
    assert set(await teller.ids("busy")) >= {*acknowledged, "after"}
    await until(lambda: is_healthy(teller))
    assert hook.alerts() == {"silent"}  # whoever spoke was heard, though nothing could be stored
    beating.cancel()
    assert len(hook.texts("notice")) == 1  # at most every quarter of an hour
    assert await daemon.stop() == 0


async def fill_up(teller: Any, disk: Any) -> list[str]:
    """Events until nothing more fits; the ids of those that were taken."""
    acknowledged = []
    disk.fill()
    for n in range(3_000):
        answer = await teller.tell("busy", id=f"e{n}", data={"text": "x" * 2_000})
        if answer.status != 201:
            return acknowledged
        acknowledged.append(f"e{n}")
    raise AssertionError("the disk never became full")


async def told(hook: Any, words: str) -> bool:
    return any(words in text for text in hook.texts("notice"))


async def is_taken(teller: Any, agent: str, id: str) -> bool:
    return (await teller.tell(agent, id=id)).status in (200, 201)


async def is_so(value: bool) -> bool:
    return value


async def is_healthy(teller: Any) -> bool:
    return (await teller.get("/health"))[1]["status"] == "ok"


async def test_whoever_speaks_while_nothing_can_be_stored_is_not_taken_for_silent(
    tmp_path: Path, clock: FakeClock, hook: Any, until: Until, teller_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise StoreUnavailable("the disk is full")

    async with run_app(tmp_path, {"notifiers": {"hook": {"use": "webhook", "url": hook.url}}}, clock) as app:
        teller = teller_of(app)
        for agent in ("alive", "silent"):
            await teller.tell(agent)
        await app.settle()
        with monkeypatch.context() as full:
            for write in ("append", "commit"):
                full.setattr(app.daemon.store, write, refuse)
            for _ in range(8):
                clock.advance(MINUTE)
                assert (await teller.tell("alive")).status == 503
                await app.settle()
        await app.settle()
        await until(lambda: is_so("silent" in hook.alerts()))
        clock.advance(4 * MINUTE)
        await app.settle()
        assert hook.alerts() == {"silent"}
        clock.advance(2 * MINUTE)
        await app.settle()
        await until(lambda: is_so(hook.alerts() == {"silent", "alive"}))


async def test_a_daemon_killed_on_a_full_disk_starts_again_says_so_and_has_lost_nothing(
    launcher: Any, disk: Any, hook: Any, until: Until, teller_of: Any
) -> None:
    config = {
        "data_dir": str(disk.path / "data"), "notifiers": {"hook": {"use": "webhook", "url": hook.url}},
    }
    daemon = await launcher.start(config)
    acknowledged = await fill_up(teller_of(daemon), disk)
    await daemon.kill()
    hook.heard.clear()
    daemon = await launcher.start(config)
    teller = teller_of(daemon)
    assert any("no login link for now" in line for line in daemon.said)
    await until(lambda: told(hook, "cannot write its database"))
    assert (await teller.get("/readyz"))[0] == 503
    disk.free()
    await until(lambda: is_taken(teller, "busy", "after"))
    assert set(await teller.ids("busy")) >= {*acknowledged, "after"}
    assert await daemon.stop() == 0


# -- files that are none of ours


def garbage(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 1_000)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE birds (name)")


@pytest.mark.parametrize(("harm", "words"), [
    (garbage, "is not a SQLite database"), (truncated, "is damaged"), (damaged, "is damaged"),
    (foreign, "another program"),
])
async def test_a_file_that_is_not_ours_or_broken_is_named_in_one_line_and_left_alone(
    launcher: Any, refused: Any, teller_of: Any, harm: Callable[[Path], None], words: str
) -> None:
    daemon = await launcher.start()
    teller = teller_of(daemon)
    for n in range(50):
        await teller.tell(f"a{n}", id=str(n))
    assert await daemon.stop() == 0
    file = launcher.home / "data" / "clawatch.db"
    harm(file)
    before = file.read_bytes()
    code, said = await refused({"data_dir": str(launcher.home / "data")})
    assert code == 1
    assert words in one_line(said)
    assert str(file) in said
    assert file.read_bytes() == before


async def test_a_directory_that_cannot_be_written_is_named_in_one_line(refused: Any, disk: Any, launcher: Any) -> None:
    config = {"data_dir": str(disk.path / "data")}
    daemon = await launcher.start(config)
    await daemon.stop()
    disk.protect()
    code, said = await refused(config)
    assert code == 1
    assert str(disk.path / "data") in one_line(said)
    code, said = await refused({"data_dir": str(disk.path / "other")})
    assert code == 1
    assert str(disk.path / "other") in one_line(said)


@pytest.mark.parametrize(("text", "words"), [
    ("server: {port: http}", "server.port"), ("rules: {stuck: {after: 5 minuten}}", "rules.stuck.after"),
    ("servr: {}", "servr"), ("server: [", "config.yaml"), ("notifiers: {x: {use: pigeon}}", "pigeon"),
])
async def test_a_wrong_configuration_ends_with_2_and_names_the_place(refused: Any, text: str, words: str) -> None:
    code, said = await refused(text)
    assert code == 2
    assert words in said
    assert "Traceback" not in said


def one_line(said: str) -> str:
    """What a person is told: one line, and no trace. The log's own lines begin with an instant."""
    lines = [line for line in said.splitlines() if line.startswith("clawatch: ")]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]
