"""Gemini CLI's session files, in the form that its recorder writes: messages are written anew whenever they grow."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from clawatch_plugins.gemini.sessions import WANTS, Session
from clawatch_plugins.gemini.source import SessionsSettings

from clawatch.domain.events import Event, EventType, Phase, Turn
from clawatch.testing.intake import Intake, read_lines

SESSION = "5b0e7c1a-0000-4000-8000-000000000001"
PATH = "shop/chats/session-2026-11-20T12-00-5b0e7c1a.jsonl"
NOW = 1_795_180_000_000
HEADER = {"sessionId": SESSION, "projectHash": "ab", "startTime": "2026-11-20T12:00:00Z", "kind": "main"}
TOKENS = {"input": 1000, "output": 50, "cached": 400, "thoughts": 20, "tool": 0, "total": 1070}


def message(type: str, id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "timestamp": "2026-11-20T12:00:01.000Z", "type": type, "content": "", **fields}


def call(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "name": "read_file", "args": {"path": "a"}, "status": status, **fields}


LINES = [
    HEADER,
    message("user", "m1", content=[{"text": "say hello"}]),
    {"$set": {"lastUpdated": "2026-11-20T12:00:01Z"}},
    message("gemini", "m2", model="gemini-2.5-pro"),
    message("gemini", "m2", model="gemini-2.5-pro", tokens=TOKENS),
    message("gemini", "m2", model="gemini-2.5-pro", tokens=TOKENS, toolCalls=[call("executing")]),
    message("gemini", "m2", model="gemini-2.5-pro", tokens=TOKENS, toolCalls=[call("success", result=[{"x": 1}])]),
    message("user", "m3", content=[{"functionResponse": {"id": "c1"}}]),
    message("gemini", "m4", model="gemini-2.5-pro", tokens=TOKENS, content="All done."),
    {"$set": {"messages": [message("gemini", "m4", tokens=TOKENS)]}},
    {"$rewindTo": "m4"},
]


def read(*lines: Any, spoken: tuple[str, ...] = (), path: str = PATH) -> list[Event]:
    data = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    return read_lines(partial(Session, sources=lambda agent: spoken), data, path, WANTS)


async def test_what_is_written_anew_counts_once() -> None:
    world = Intake.open(NOW)
    for _ in range(2):
        await world.say(read(*LINES))
    agent, sums = world.only, await world.sums()
    assert (agent.id, agent.kind, agent.name) == (f"gemini-cli:{SESSION}", "gemini-cli", "Gemini CLI 00000001")
    assert (sums.input, sums.output, sums.cache_read, agent.tokens) == (2000, 140, 800, 2140)
    assert (agent.tool_calls, agent.error_count, sums.messages) == (1, 0, 1)
    assert agent.turn is Turn.CLOSED


def test_telemetry_that_speaks_is_left_its_calls_and_prompts() -> None:
    events = read(*LINES, spoken=("otlp",))
    assert {event.type for event in events} == {EventType.COST, EventType.HEARTBEAT}
    assert all(event.rank < 0 for event in events if event.usage)


@pytest.mark.parametrize(("status", "phases"), [
    ("awaiting_approval", [(Phase.START, Turn.WAITING)]), ("executing", [(Phase.START, Turn.OPEN)]),
    ("error", [(Phase.START, Turn.OPEN), (Phase.END, Turn.OPEN)]),
    ("cancelled", [(Phase.START, Turn.OPEN), (Phase.END, Turn.OPEN)]),
])  # fmt: skip
def test_how_a_call_stands(status: str, phases: list[Any]) -> None:
    events = read(message("gemini", "m2", toolCalls=[call(status)]))
    assert [(event.phase, event.turn) for event in events] == phases
    assert any(event.is_failed_tool for event in events) is (status == "error")


def test_an_error_ends_the_turn() -> None:
    [event] = read(message("error", "m9", content="quota exceeded"))
    assert (event.type, event.error, event.turn) == (EventType.ERROR, "quota exceeded", Turn.CLOSED)


def test_a_subagents_turn_is_not_the_sessions() -> None:
    path = f"shop/chats/{SESSION}/sub1.jsonl"
    events = read(HEADER, message("gemini", "m2", tokens=TOKENS), path=path)
    assert {event.turn for event in events} == {None}
    folder = SessionsSettings(paths=("/tmp",)).folders()[0]
    assert folder.has(path)
    assert folder.has(PATH)
    assert not folder.has("shop/logs.json")


@pytest.mark.parametrize("line", [
    {"type": "gemini"}, {"type": [], "id": 1}, message("gemini", "m", tokens=[], toolCalls={"a": 1}),
    message("gemini", "m", tokens={"input": "x"}, toolCalls=[{}, 7, {"id": "c", "args": None}]), message("user", "m"),
    {"sessionId": 5}, {"sessionId": "x" * 300}, message("error", "m", content={"a": 1}),
])  # fmt: skip
def test_no_line_does_harm(line: Any) -> None:
    read(line)
