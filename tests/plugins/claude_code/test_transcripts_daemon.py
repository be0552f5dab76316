"""A whole daemon that reads transcripts: history sets nothing off, a restart goes on where it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Status
from clawatch.domain.events import Turn
from clawatch.domain.time import HOUR, MINUTE, Millis, iso
from clawatch.ports import AlertFilter, NotFound
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

SESSION = "5e551011-0000-4000-8000-000000000001"
AGENT = f"claude-code:{SESSION}"
NOW: Millis = time.time_ns() // 1_000_000
"""Files are stamped by the real clock."""


class Session:
    """Claude Code's side: it writes its transcript."""

    def __init__(self, root: Path) -> None:
        self._file = root / "-srv-shop" / f"{SESSION}.jsonl"
        self._file.parent.mkdir(parents=True)
        self._number = 0

    def prompt(self, at: Millis) -> None:
        self._write("user", at, {"role": "user", "content": "go on"}, promptId=f"p{self._number}")

    def answer(self, at: Millis, stop: str | None = None) -> None:
        """A million tokens out: $20."""
        usage = {"input_tokens": 0, "output_tokens": 1_000_000}
        message = {"id": f"m{self._number}", "model": "claude-opus-5-5", "usage": usage, "stop_reason": stop}
        self._write("assistant", at, message, requestId=f"r{self._number}")

    def _write(self, kind: str, at: Millis, message: dict[str, Any], **fields: Any) -> None:
        self._number += 1
        entry = {
            "type": kind, "uuid": f"u{self._number}", "timestamp": iso(at), "sessionId": SESSION, "message": message,
            **fields,
        }  # fmt: skip
        with self._file.open("a") as file:
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")


def config(root: Path) -> dict[str, Any]:
    return {
        "storage": {"use": "sqlite"}, "sources": {"claude_code": {"paths": [str(root)]}},
        "rules": {"cost": {"limits": [{"per": "total", "usd": 30.0}]}},
    }  # fmt: skip


async def until(app: App, holds: Callable[[Agent], bool]) -> Agent:
    async with asyncio.timeout(20):
        while True:
            try:
                agent = app.daemon.core.queries.agent(AGENT, CORE)
            except NotFound:
                agent = None
            if agent is not None and holds(agent):
                return agent
            await asyncio.sleep(0.01)


async def alerts(app: App) -> list[str]:
    await app.settle()
    page = await app.daemon.core.queries.alerts(CORE, AlertFilter())
    return [alert.rule for alert in page.items]


async def test_history_sets_nothing_off_and_what_follows_does(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    session = Session(root)
    for hours in (3, 2):
        session.prompt(NOW - hours * HOUR)
        session.answer(NOW - hours * HOUR + MINUTE, "end_turn")
    clock = FakeClock(wall=NOW)
    async with run_app(tmp_path, config(root), clock) as app:
        agent = await until(app, lambda agent: agent.cost == 40_000_000_000 and agent.turn is Turn.CLOSED)
        assert (agent.last_seen, agent.past_cost) == (0, agent.cost)
        assert await alerts(app) == []
        session.prompt(NOW)
        agent = await until(app, lambda agent: agent.turn is Turn.OPEN)
        assert (agent.status, agent.last_seen) == (Status.RUNNING, NOW)
        session.answer(NOW)
        session.answer(NOW, "end_turn")
        await until(app, lambda agent: agent.cost == 80_000_000_000)
        assert await alerts(app) == ["cost"], "$40 since it is watched"


async def test_a_turn_that_ended_while_clawatch_was_away_is_not_stuck(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    session = Session(root)
    clock = FakeClock(wall=NOW)
    async with run_app(tmp_path, config(root), clock) as app:
        session.prompt(NOW)
        await until(app, lambda agent: agent.turn is Turn.OPEN)
    session.answer(NOW + MINUTE, "end_turn")
    clock.advance(HOUR)
    async with run_app(tmp_path, config(root), clock) as app:
        agent = await until(app, lambda agent: agent.turn is Turn.CLOSED)
        assert agent.cost == 20_000_000_000
        clock.advance(HOUR)
        assert not {"stuck", "stalled_turn"} & set(await alerts(app))
        assert app.daemon.core.queries.agent(AGENT, CORE).status is Status.IDLE
