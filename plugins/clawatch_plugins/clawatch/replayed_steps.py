"""The steps that a replay tells: of agents that are named, or of all where they are not too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress

from clawatch.domain.recordings import Recording, Step
from clawatch.ports import NotFound, RecordingsPort
from clawatch_plugins.clawatch.stream import Filter

MOST_STEPS = 100_000
"""In memory together, about. Of a recording with more, only the steps of agents that are named are told: agents are
kept one by one, and to read all of them for some ticks is to read everything."""


class Steps:
    def __init__(self, recordings: RecordingsPort, recording: Recording, where: Filter) -> None:
        self._recordings = recordings
        self._recording = recording
        self._filter = where
        self._named = where.named
        self.are_told = "agents" in where.topics and (bool(self._named) or recording.step_count <= MOST_STEPS)
        span = recording.total_ticks + 1
        self._window = max(1, MOST_STEPS // len(self._named)) if self._named else span
        self._read: dict[int, list[tuple[str, Step]]] = {}
        self._read_until = 0
        """Those before this tick have been read."""

    async def before(self, tick: int) -> dict[str, Step]:
        """The last one of each agent."""
        if not tick or not self.are_told:
            return {}
        return {agent_id: step async for agent_id, step in self._between(0, tick - 1)}

    async def at(self, tick: int) -> list[tuple[str, Step]]:
        if not self.are_told:
            return []
        if tick >= self._read_until:
            self._read_until = tick + self._window
            found: dict[int, list[tuple[str, Step]]] = defaultdict(list)
            async for agent_id, step in self._between(tick, self._read_until - 1):
                found[step.tick].append((agent_id, step))
            self._read = found
        return self._read.pop(tick, [])

    async def _between(self, first: int, last: int) -> AsyncIterator[tuple[str, Step]]:
        if not self._named:
            async for agent_id, step in self._recordings.steps(self._recording, first, last):
                if self._filter.admits_recorded(agent_id):
                    yield agent_id, step
            return
        for agent_id in self._named:
            with suppress(NotFound):
                for step in (await self._recordings.trajectory(self._recording, agent_id, first, last)).steps:
                    yield agent_id, step
