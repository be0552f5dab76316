"""The loads of all agents, counted from the first client on; what was before is read from the store once."""

from __future__ import annotations

import asyncio

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.events import Event, Origin
from clawatch.domain.journal import Entry, Removed, RunChanged
from clawatch.domain.runs import TERMINAL, Run, RunStatus
from clawatch.domain.time import MINUTE, Millis
from clawatch.ports import Core, EventFilter, StoreUnavailable
from clawatch_plugins.freeagentics.loads import Load
from clawatch_plugins.freeagentics.steps import CONTAINERS, MEMORY, Steps
from clawatch_plugins.freeagentics.wire import AgentLoad

MOST_EVENTS = 5_000
"""Of the minute before the first client came."""
PAGE = 1_000
QUEUE = 10_000
RETRY = 1.0
"""Seconds to wait for a store that cannot be read."""


class Figures:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._loads: dict[str, Load] = {}
        self._steps = Steps()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Count from now on; a second time changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
            self._task.add_done_callback(self._note_failure)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._core.log.error("freeagentics.figures_failed", exc_info=error)
            self._task = None

    def runs(self, agent_id: str) -> tuple[int, Millis]:
        """How many runs an agent has had, and when it last worked at one; 0 for never."""
        load = self._loads.get(agent_id)
        return (0, 0) if load is None else (load.runs, load.last_run)

    def usual_duration(self, agent_id: str) -> float | None:
        """Seconds that this agent's runs take; None while none has ended."""
        load = self._loads.get(agent_id)
        return round(load.usual, 1) if load is not None and load.usual else None

    def load(self, agent: Agent, now: Millis) -> AgentLoad:
        return self._loads.get(agent.id, _NOTHING).shown(agent, now)

    async def _follow(self) -> None:
        is_open = True
        while is_open:
            self._loads.clear()
            self._steps = Steps()
            async with self._core.bus.subscribe(QUEUE) as news:
                # What comes from here on waits in the subscription while the past is read.
                await self._read_the_past(int(self._core.queries.cursor().rpartition(".")[2]))
                async for entry in news:
                    self._take(entry)
                is_open = news.is_dropped

    def _take(self, entry: Entry) -> None:
        match entry.body:
            case Event() if entry.body.origin is Origin.LIVE:
                self._of(entry.agent_id).count_event(entry.body, entry.at)
            case RunChanged():
                self._take_run(entry.body.run, entry.at)
            case Removed():
                self._loads.pop(entry.agent_id, None)

    def _take_run(self, run: Run, now: Millis) -> None:
        load = self._of(run.agent_id)
        for step in self._steps.of(run):
            if step == "inference_started":
                load.begin(run)
            elif step in ("inference_completed", "inference_failed"):
                load.end(run, now)
            load.touch(run)

    def _of(self, agent_id: str) -> Load:
        load = self._loads.get(agent_id)
        if load is None:
            load = self._loads[agent_id] = Load()
        return load

    async def _read_the_past(self, seq: int) -> None:
        while True:
            try:
                await self._read_runs()
                await self._read_events(seq)
            except StoreUnavailable:
                self._loads.clear()
                await asyncio.sleep(RETRY)
            else:
                return

    async def _read_runs(self) -> None:
        cursor, left = None, MEMORY
        while left > 0:
            page = await self._core.queries.runs(CORE, cursor, min(PAGE, left))
            for run in page.items:
                self._take_past(run)
            left, cursor = left - len(page.items), page.next
            if cursor is None:
                return

    def _take_past(self, run: Run) -> None:
        """Remember it too, so that later news of it are not taken for its beginning."""
        self._steps.of(run)
        if run.kind in CONTAINERS or run.status is RunStatus.PENDING:
            return
        load = self._of(run.agent_id)
        load.begin(run)
        if run.status in TERMINAL:
            load.open.pop(run.id, None)

    async def _read_events(self, seq: int) -> None:
        where = EventFilter(since=self._core.clock.now().wall - MINUTE)
        cursor, left = None, MOST_EVENTS
        while left > 0:
            page = await self._core.queries.events(CORE, where, cursor, PAGE)
            for entry in page.items:
                if entry.seq <= seq:
                    self._take(entry)
            left, cursor = left - len(page.items), page.next
            if cursor is None:
                return


_NOTHING = Load()
