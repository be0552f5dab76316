"""A session file of pi says what the session did and cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.pi.sessions import WANTS, Session
from clawatch_plugins.pi.source import SessionsSettings, open_sessions

from clawatch.domain.agents import Status
from clawatch.domain.events import Event, EventType, Turn
from clawatch.testing.intake import Intake, read_lines

SAMPLE = Path(__file__).parents[2] / "samples" / "pi_json" / "session.jsonl"
NOW = 1_795_180_000_000
PATH = "--opt-piwork--/2026-11-20T12-14-30_01a1f8e1-3301-784d-a8ca-da921c43a2a9.jsonl"


async def test_a_session_costs_what_it_says() -> None:
    world = Intake.open(NOW)
    for _ in range(2):
        await world.say(read_lines(Session, SAMPLE.read_bytes(), PATH, WANTS))
    agent, sums = world.only, await world.sums()
    assert (agent.id, agent.kind) == ("pi:01a1f8e1-3301-784d-a8ca-da921c43a2a9", "pi")
    assert agent.labels == {"project": "piwork"}
    assert (agent.cost, agent.tokens, sums.input, sums.cache_read) == (300_000, 2_100, 2_000, 800)
    assert (agent.tool_calls, agent.error_count, sums.messages) == (1, 0, 1)
    assert (agent.turn, agent.status) == (Turn.CLOSED, Status.IDLE)


def message(role: str, id: str = "e1", at: int = 10, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-11-20T12:00:{at:02d}.000Z"
    return {"type": "message", "id": id, "timestamp": stamp, "message": {"role": role, **fields}}


def read(*entries: Any) -> list[Event]:
    data = b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
    return read_lines(Session, data, PATH, WANTS)


USED = {"input": 5, "output": 1, "cacheRead": 2, "cacheWrite": 1, "totalTokens": 9, "cost": {"total": 0}}


def test_a_cost_of_nothing_is_one_that_is_not_known() -> None:
    [event] = read(message("assistant", usage=USED, model="m"))
    assert event.usage is not None
    assert (event.usage.cost, event.usage.input, event.usage.output) == (None, 8, 1)


@pytest.mark.parametrize(("stop", "type"), [("error", EventType.ERROR), ("aborted", EventType.HEARTBEAT)])
def test_a_turn_ends(stop: str, type: EventType) -> None:
    [event] = read(message("assistant", stopReason=stop, errorMessage="429 slow down"))
    assert (event.type, event.turn) == (type, Turn.CLOSED)


def test_a_failed_call_is_told() -> None:
    result = message("toolResult", toolCallId="c1", toolName="bash", isError=True, content=[{"text": "no"}])
    [event] = read(result)
    assert event.is_failed_tool
    assert event.error == "no"


def test_what_a_forked_session_copies_is_passed_over() -> None:
    header = {"type": "session", "id": "s2", "timestamp": "2026-11-20T12:00:30Z", "parentSession": "s1"}
    told = [message("assistant", "e1", at, usage=USED) for at in (10, 40)]
    assert [event.at % 60_000 for event in read(header, *told)] == [40_000]
    del header["parentSession"]
    assert len(read(header, *told)) == 2


@pytest.mark.parametrize("entry", [
    {"type": "message"}, {"type": "message", "message": []}, {"type": "message", "message": {"role": []}},
    message("assistant", usage=[], content="x"), message("assistant", usage={"input": "many"}, content=[{"id": 1}]),
    message("toolResult"), message("user", content=7), {"type": "session", "id": [], "timestamp": {}, "cwd": 5},
])  # fmt: skip
def test_no_line_does_harm(entry: Any) -> None:
    read(entry)


async def test_its_files_are_followed(tmp_path: Path) -> None:
    file = tmp_path / PATH
    file.parent.mkdir()
    file.write_bytes(SAMPLE.read_bytes())
    world = Intake.open(NOW)
    changed = _on_change(world)
    async with open_sessions(SessionsSettings(paths=(str(tmp_path),), since=400 * 86_400_000), world.core):
        while not (len(world.fleet) and world.only.cost == 300_000):
            await changed()
    assert world.only.tool_calls == 1


def _on_change(world: Intake) -> Any:
    import asyncio

    arrived = asyncio.Event()
    world.store.listen(lambda committed: arrived.set())

    async def changed() -> None:
        async with asyncio.timeout(10):
            await arrived.wait()
        arrived.clear()

    return changed
