"""What the agents say: a mix of calls, heartbeats and costs, none of which sets off a rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

AGENTS = 100
MODEL = "claude-opus-4-5"
TOOLS = ("exec", "read", "write", "search", "fetch", "edit", "browse")


def events(run: str, agents: int = AGENTS, is_keyed: bool = True) -> Iterator[dict[str, Any]]:
    """Without end. ``run`` keeps the ids of several runs apart, which unkeyed events have none of, and their calls:
    the same ones again, run after run, would be a loop."""
    for number in count():
        event = _event(run, number, agents)
        if is_keyed:
            event["id"] = f"{run}-{number}"
        yield event


def _event(run: str, number: int, agents: int) -> dict[str, Any]:
    agent = f"agent-{number % agents:05}"
    turn = number // agents
    match turn % 4:
        case 0:
            return {"agentId": agent, "type": "heartbeat", "data": {"message": f"step {turn}"}}
        case 1:
            spent = {"model": MODEL, "inputTokens": 900 + turn % 100, "outputTokens": 60, "costUsd": 0.00001}
            return {"agentId": agent, "type": "cost", "data": spent}
    call = {
        "toolName": TOOLS[turn * 5 % 7], "arguments": {"path": f"/srv/{run}/file-{number}.py", "line": number},
        "ok": True, "durationMs": 12 + number % 40,
    }
    return {"agentId": agent, "type": "tool_call", "data": call}


def singles(run: str, agents: int = AGENTS, is_keyed: bool = True) -> Iterator[bytes]:
    for event in events(run, agents, is_keyed):
        yield json.dumps(event).encode()


def batches(run: str, size: int, agents: int = AGENTS, is_keyed: bool = True) -> Iterator[bytes]:
    stream = events(run, agents, is_keyed)
    while True:
        yield json.dumps([next(stream) for _ in range(size)]).encode()
