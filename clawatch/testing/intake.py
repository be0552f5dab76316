"""The way in without doors, for tests of sources: to a store in memory, priced and folded as the daemon would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog

from clawatch.apis.tailing import Line, Reader
from clawatch.domain.access import CORE, Principal
from clawatch.domain.agents import Agent
from clawatch.domain.events import Event
from clawatch.domain.journal import Measures
from clawatch.fleet import Fleet
from clawatch.ingest import Ingest
from clawatch.ports import Core, Enricher, NotFound, Receipt
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore

_MINUTE = 60_000


class _Queries:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def agents(self, principal: Principal) -> list[Agent]:
        return self._fleet.newest_first()

    def agent(self, agent_id: str, principal: Principal) -> Agent:
        agent = self._fleet.get(agent_id)
        if agent is None:
            raise NotFound("Agent not found")
        return agent


@dataclass
class Intake:
    """``core`` has ingest, queries, marks, clock, log and metrics; the rest of it is not there."""

    clock: FakeClock
    store: MemoryStore
    fleet: Fleet
    core: Core

    @classmethod
    def open(cls, now: int, enrichers: Sequence[Enricher] = ()) -> Intake:
        clock, store, fleet = FakeClock(wall=now), MemoryStore(), Fleet()
        store.listen(fleet.apply)
        nothing = cast(Any, None)
        core = Core(
            ingest=Ingest(store, clock, enrichers, lambda event: event), queries=cast(Any, _Queries(fleet)),
            commands=nothing, access=nothing, bus=nothing, clock=clock, scheduler=nothing, http=nothing,
            log=structlog.get_logger("clawatch"),
        )
        return cls(clock, store, fleet, core)

    async def say(self, events: Iterable[Event]) -> Receipt:
        return await self.core.ingest.accept(list(events), CORE)

    @property
    def only(self) -> Agent:
        """The one agent there is."""
        (agent,) = self.fleet
        return agent

    async def sums(self) -> Measures:
        """Everything counted so far."""
        sums = Measures()
        for point in await self.store.series(0, self.clock.now().wall + _MINUTE, _MINUTE, "", ("*",)):
            sums += point.measures
        return sums


def read_lines(
    open: Callable[[str, str], Reader], data: bytes, path: str = "a.jsonl", wants: Sequence[bytes] = ()
) -> list[Event]:
    """The events of a file's content, each line read by a new reader that knows its predecessor's note alone."""
    events: list[Event] = []
    note, offset = "", 0
    for line in data.splitlines(keepends=True):
        reader = open(path, note)
        if not wants or any(word in line for word in wants):
            events += reader.read(Line(line.rstrip(b"\r\n"), offset))
        note, offset = reader.note, offset + len(line)
    return events


__all__ = ["Intake", "read_lines"]
