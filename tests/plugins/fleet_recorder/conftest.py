from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from clawatch_plugins.fleet_recorder.recorder import Recorder

from clawatch.domain.access import CORE
from clawatch.domain.recordings import Recording
from clawatch.domain.time import MINUTE, SECOND, Millis, iso, parse_iso
from clawatch.ports import EventsWanted
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

THREE = parse_iso("2026-03-09T03:00:00Z")


@dataclass
class Watch:
    """A daemon whose clock is turned by hand, and its recorder."""

    app: App
    clock: FakeClock
    session: ClientSession
    recorder: Recorder = field(default_factory=Recorder)

    async def say(self, agent_id: str, type: str = "heartbeat", /, **data: Any) -> None:
        top = {name: data.pop(name) for name in ("host", "kind", "sessionId", "callId") if name in data}
        event = {"agentId": agent_id, "type": type, "data": data, **top}
        async with self.session.post("/api/events", json=event) as answer:
            assert answer.status == 201, await answer.text()

    async def do(self, method: str, path: str, **request: Any) -> Any:
        async with self.session.request(method, path, **request) as answer:
            assert answer.status < 300, (answer.status, await answer.text())
            return await answer.json()

    async def delete(self, path: str) -> None:
        async with self.session.delete(path) as answer:
            assert answer.status < 300

    async def until(self, when: Millis, step: Millis = 10 * SECOND, *alive: str) -> None:
        """Let time pass; agents that are ``alive`` say so at every step."""
        while self.clock.now().wall < when:
            self.clock.advance(min(step, when - self.clock.now().wall))
            for agent_id in alive:
                await self.say(agent_id)
            await self.app.settle()

    async def record(self) -> None:
        await self.recorder.run(self.app.daemon.core)

    async def recordings(self, kind: str = "hour") -> list[Recording]:
        page = await self.app.daemon.core.recordings.list(CORE)
        return sorted(
            (one for one in page.items if one.run_id.startswith(kind)), key=lambda one: one.started_at or 0
        )

    async def at(self, recording: Recording, tick: int) -> dict[str, Any]:
        return (await self.app.daemon.core.recordings.keyframe(recording, tick)).state.metrics

    async def told(self, recording: Recording, type: str | None = None) -> list[tuple[str, str, str]]:
        """When, what and of whom."""
        found = await self.app.daemon.core.recordings.events(recording, EventsWanted(type=type, limit=1000))
        return [
            (iso((recording.started_at or 0) + event.tick * MINUTE)[11:16], event.source or "",
             event.variable_changes["agent_id"])
            for event in found.events
        ]  # fmt: skip

    async def steps(self, recording: Recording, agent_id: str) -> list[tuple[int, str, str | None]]:
        found = await self.app.daemon.core.recordings.trajectory(recording, agent_id)
        return [(step.tick, step.state["status"], step.action) for step in found.steps]


RunWatch = Callable[..., AbstractAsyncContextManager[Watch]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(THREE)


@pytest.fixture
def run_watch(clock: FakeClock, tmp_path: Path) -> RunWatch:
    @asynccontextmanager
    async def run(**config: Any) -> Any:
        async with (
            run_app(tmp_path, {"storage": {"use": "sqlite"}, **config}, clock) as app,
            ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session,
        ):
            yield Watch(app, clock, session)

    return run
