"""A recording, told over the stream at a chosen speed, tick by tick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from clawatch.apis.sessions import Session
from clawatch.domain.recordings import EventLine, Recording, State, Step
from clawatch.domain.time import MINUTE, iso
from clawatch.ports import Core, EventsWanted, Invalid
from clawatch_plugins.clawatch.replayed_steps import Steps
from clawatch_plugins.clawatch.stream import Filter, Outlet
from clawatch_plugins.clawatch.wire import ReplayMessage, ReplayWanted

EVENTS_AT_ONCE = 500
UNDATED_TICK = MINUTE
"""How long a tick counts as where its recording does not tell."""


class Replay:
    def __init__(self, core: Core, session: Session, wanted: ReplayWanted, recording: Recording, where: Filter) -> None:
        self._recordings = core.recordings
        self._wanted = wanted
        self._recording = recording
        self._filter = where
        self._outlet = Outlet(session)
        self._last = recording.total_ticks if wanted.last is None else min(wanted.last, recording.total_ticks)
        self._tick_seconds = (recording.tick_length or UNDATED_TICK) / 1000
        self._steps = Steps(core.recordings, recording, where)

    @staticmethod
    async def of(core: Core, session: Session, wanted: ReplayWanted, where: Filter) -> Replay:
        """Raises NotFound for one that the session's principal may not see, Invalid for ticks that it does not have."""
        find = core.recordings.get if wanted.node.startswith("rec_") else core.recordings.find
        recording = await find(wanted.node.lower(), session.principal)
        if not recording.is_complete:
            raise Invalid("replay: the recording is not complete yet")
        if wanted.first > recording.total_ticks or (wanted.last is not None and wanted.last < wanted.first):
            raise Invalid(f"replay: from and to must lie in order between 0 and {recording.total_ticks}")
        return Replay(core, session, wanted, recording, where)

    async def run(self) -> None:
        """Everything from the first tick to the last, each at its time."""
        await self._put("replay_started", self._wanted.first, self._about())
        await self._tell_what_was_before()
        clock = asyncio.get_running_loop().time
        began = clock()
        events = self._events()
        event = await anext(events, None)
        for tick in range(self._wanted.first, self._last + 1):
            due = began + (tick - self._wanted.first) * self._tick_seconds / self._wanted.speed
            await asyncio.sleep(max(0.0, due - clock()))
            await self._tell(tick)
            while event is not None and event.tick <= tick:
                await self._put("replay_event", event.tick, event)
                event = await anext(events, None)
        await self._put("replay_ended", self._last, {})

    async def _tell_what_was_before(self) -> None:
        """The last step of each agent before the first tick: how they stand when it begins."""
        for agent_id, step in (await self._steps.before(self._wanted.first)).items():
            await self._put_step(agent_id, step)

    async def _tell(self, tick: int) -> None:
        for agent_id, step in await self._steps.at(tick):
            await self._put_step(agent_id, step)
        state = (await self._recordings.keyframe(self._recording, tick)).state
        await self._put("replay_tick", tick, _shown(state))

    async def _events(self) -> AsyncIterator[EventLine]:
        skip = 0
        while {"events", "alerts"} & self._filter.topics:
            where = EventsWanted(first=self._wanted.first, last=self._last, skip=skip, limit=EVENTS_AT_ONCE)
            found = await self._recordings.events(self._recording, where)
            for event in found.events:
                yield event
            skip += EVENTS_AT_ONCE
            if skip >= found.total:
                return

    def _about(self) -> dict[str, Any]:
        recording = self._recording
        return {
            "id": recording.id, "runId": recording.run_id, "source": recording.source, "speed": self._wanted.speed,
            "to": self._last, "totalTicks": recording.total_ticks, "tickSeconds": self._tick_seconds,
            "steps": self._steps.are_told, "agents": recording.agent_count, "events": recording.event_count,
            "metrics": recording.metrics,
            "segments": [part.name for part in recording.segments],
            "regions": [part.name for part in recording.regions],
        }  # fmt: skip

    async def _put_step(self, agent_id: str, step: Step) -> None:
        told = {"agentId": agent_id, "state": step.state, "action": step.action}
        await self._put("replay_step", step.tick, told)

    async def _put(self, kind: str, tick: int, data: Any) -> None:
        at = self._recording.instant(tick)
        message = ReplayMessage(
            type=kind, node=self._recording.node_id, tick=tick, timestamp=None if at is None else iso(at), data=data
        )
        await self._outlet.put(msgspec.json.encode(message).decode())


def _shown(state: State) -> dict[str, Any]:
    return {
        "metrics": state.metrics, "bySegment": state.by_segment, "byRegion": state.by_region,
        "worldState": state.world_state,
    }  # fmt: skip
