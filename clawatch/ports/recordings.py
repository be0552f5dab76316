"""Recordings: where their blocks are kept, and what the rest of the daemon writes and reads them by."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, cast

from msgspec import Struct

from clawatch.domain.access import Principal
from clawatch.domain.recordings import (
    Block,
    Counts,
    EventLine,
    Kind,
    Profile,
    Recording,
    Source,
    State,
    Step,
    Summary,
    TopEvent,
    Trajectory,
)
from clawatch.domain.recordings.slices import Slice
from clawatch.ports.errors import StoreUnavailable
from clawatch.ports.store import Page


class RecordingsStore(Protocol):
    """Where recordings are kept: a value each, named blocks, and the numbers of their agents.

    What a block holds is not the store's business. A read of one agent or one metric fetches the few blocks that it
    is in. Writes are durable when they return; they raise StoreUnavailable when nothing was written.
    ``clawatch.testing.recordings_contract`` is the contract as tests.
    """

    async def create(self, recording: Recording) -> None:
        """Raises Conflict when there is one of this id."""
        ...

    async def advance(
        self, recording: Recording, expected: int, blocks: Sequence[Block] = (), agents: Mapping[str, int] = {}
    ) -> None:
        """Put its new state, blocks (replacing those of the same name) and new agents, in one commit.

        Raises Conflict when it is not at the version ``expected``, or there is none of this id.
        """
        ...

    async def recording(self, recording_id: str) -> Recording | None: ...

    async def of_node(self, node_id: str, limit: int = 1000) -> list[Recording]:
        """The recordings of a node, the newest (by ``created_at``, then id) first; none that are gone."""
        ...

    async def recordings(self, owner: str | None, cursor: str | None, limit: int) -> Page[Recording]:
        """The newest first, of this owner only if one is named; with those that are gone."""
        ...

    async def blocks(
        self, recording_id: str, kinds: Sequence[Kind], keys: Sequence[int], first_part: int = 0,
        last_part: int | None = None,
    ) -> list[Block]:
        """Those there are, by kind, key and part; ``last_part`` is inclusive."""
        ...

    async def block_before(self, recording_id: str, kind: Kind, key: int) -> Block | None:
        """Part 0 of the greatest key that is not above this one."""
        ...

    async def agent(self, recording_id: str, agent_id: str) -> int | None:
        """An agent's number."""
        ...

    async def agents(self, recording_id: str, first: int = 0, last: int | None = None) -> dict[str, int]:
        """Agents with their numbers, in the order of those; ``last`` is inclusive."""
        ...

    async def remove(self, recording_id: str, kinds: Sequence[Kind] | None, budget: int) -> int:
        """Remove at most ``budget`` blocks of these kinds; how many rows went, 0: nothing is left to remove.

        With ``kinds`` None everything goes: blocks, then agents, and at last the recording itself.
        """
        ...


class EventsWanted(Struct, frozen=True, kw_only=True):
    """Which events; bounds inclusive."""

    type: str | None = None
    first: int = 0
    last: int | None = None
    min_impact: float | None = None
    skip: int = 0
    limit: int = 50


class EventsFound(Struct, frozen=True):
    events: list[EventLine]
    total: int
    """All that match, not only this page's."""


class Keyframe(Struct, frozen=True, kw_only=True):
    """How things stood at a tick."""

    tick: int
    state: State
    counts: Counts
    top_events: list[TopEvent]
    """The weightiest up to then."""


class RecordingsPort(Protocol):
    """Recordings as far as a principal may see them: its own user's, and all with a key for all agents.

    Reading never changes anything. What is complete never changes again.
    """

    async def record(
        self, pieces: AsyncIterable[bytes], principal: Principal, source: Source = Source.IMPORT
    ) -> Recording:
        """A new recording out of NDJSON lines (``domain.recordings.ndjson`` makes them), the header first.

        With the ``end`` at the end it is complete when this returns. Of the header alone comes an open one, to be
        extended; the user's own open one of this node and run if there is one. Of anything else nothing stays.
        Raises BadLine, Conflict when this run is recorded already, Forbidden for a node that is somebody else's.
        """
        ...

    async def extend(
        self, recording_id: str, start: int, pieces: AsyncIterable[bytes], principal: Principal
    ) -> Recording:
        """More lines of an open recording, ``start`` being the number of the first.

        What has come before a line is bad (BadLine) or the pieces break off stays; ``progress.next_line`` is where
        to go on. Raises OutOfStep when that is not ``start``; Conflict when it takes no more lines, NotFound.
        """
        ...

    async def complete(
        self, recording_id: str, principal: Principal, aggregates: Mapping[str, Any] | None = None
    ) -> Recording:
        """Make it readable and immutable; once more changes nothing. Raises NotFound, Conflict."""
        ...

    async def discard(self, recording_id: str, principal: Principal) -> None:
        """Remove it, complete or not. Raises NotFound."""
        ...

    async def list(self, principal: Principal, cursor: str | None = None, limit: int = 100) -> Page[Recording]:
        """The newest first, those being written too."""
        ...

    async def get(self, recording_id: str, principal: Principal) -> Recording:
        """Raises NotFound."""
        ...

    async def find(self, node_id: str, principal: Principal) -> Recording:
        """The complete one of a node, of its newest run. Raises NotFound."""
        ...

    def points(self, recording: Recording, where: Slice) -> AsyncIterator[dict[str, Any]]:
        """``{tick, metric: value, …}``, tick by tick; with chosen parts ``by_segment`` and ``by_region`` too."""
        ...

    async def keyframe(self, recording: Recording, tick: int) -> Keyframe:
        """At any tick: the nearest keyframe and the deltas up to it."""
        ...

    async def trajectory(
        self, recording: Recording, agent_id: str, first: int = 0, last: int | None = None, reasons: bool = False
    ) -> Trajectory:
        """An agent's steps; bounds inclusive. Raises NotFound for an agent that is not in it."""
        ...

    def profiles(self, recording: Recording) -> AsyncIterator[Profile]:
        """Every agent, in the order in which they came."""
        ...

    async def agents(self, recording: Recording, first: int = 0, limit: int = 100) -> tuple[str, ...]:
        """The ids of agents in the order in which they came up, from the ``first``-th on."""
        ...

    def steps(self, recording: Recording, first: int, last: int) -> AsyncIterator[tuple[str, Step]]:
        """Every agent's steps in these ticks (inclusive), by agents, without reasoning. Reads the whole recording:
        choose as many ticks as may be in memory."""
        ...

    async def events(self, recording: Recording, where: EventsWanted) -> EventsFound:
        """In the order of their ticks."""
        ...

    async def summary(self, recording: Recording) -> Summary: ...


class _Nowhere:
    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable("there is nowhere to keep recordings")


def nowhere() -> RecordingsPort:
    """For a core put together without a store."""
    return cast(RecordingsPort, _Nowhere())
