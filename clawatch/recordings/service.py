"""The service behind ``core.recordings``."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from clawatch.domain.access import CORE, Principal
from clawatch.domain.ids import new_id
from clawatch.domain.recordings import (
    BadLine,
    Header,
    Profile,
    Progress,
    Recording,
    Source,
    Stage,
    Step,
    Summary,
    Trajectory,
)
from clawatch.domain.recordings.gathering import recording_from
from clawatch.domain.recordings.lines import MAX_DEPTH, is_deep
from clawatch.domain.recordings.slices import Slice
from clawatch.domain.time import Millis
from clawatch.ports import (
    Clock,
    Conflict,
    EventsFound,
    EventsWanted,
    Forbidden,
    Invalid,
    Keyframe,
    NotFound,
    OutOfStep,
    Page,
    RecordingsStore,
    StoreUnavailable,
    TooMany,
)
from clawatch.recordings import reading
from clawatch.recordings.completing import Completing, clear, remove, sweep
from clawatch.recordings.writing import Writing

K = TypeVar("K")
V = TypeVar("V")
MAX_LIMIT = 1000
MOST_WRITERS = 4
"""Each holds some megabytes of lines; others are asked to come again."""
_REMEMBERED = 64
_SMALL = 1000
"""Ticks of a summary that is remembered."""
_FIRST_LINES = (0, 1, 2)
"""What senders call the line behind the header."""
_BUSY_RETRY = 2.0


class Recordings:
    """See ``ports.RecordingsPort``."""

    def __init__(self, store: RecordingsStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._writers = 0
        self._completing: dict[str, asyncio.Task[Recording]] = {}
        self._turn = asyncio.Lock()
        self._found: OrderedDict[tuple[str, str], Recording] = OrderedDict()
        """By node and who may see it: what ``find`` has found, until anything is completed or discarded."""
        self._changes = 0
        self._summaries: OrderedDict[str, Summary] = OrderedDict()
        self._sweeping: asyncio.Task[None] | None = None

    def launch_sweep(self) -> None:
        """At the start; the daemon does not wait for it. What came in one piece before now has broken off."""
        self._sweeping = asyncio.create_task(self._sweep_at_start(self._clock.now().wall), name="recordings sweep")

    async def close(self) -> None:
        tasks = [*self._completing.values(), *([self._sweeping] if self._sweeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def sweep(self) -> None:
        """Clear away what writers have left that are gone."""
        await sweep(self._store, self._clock.now().wall, self._completing.keys())

    async def _sweep_at_start(self, started: Millis) -> None:
        with suppress(StoreUnavailable):
            await sweep(self._store, started, self._completing.keys(), broken_before=started)

    # -- writing

    async def record(
        self, pieces: AsyncIterable[bytes], principal: Principal, source: Source = Source.IMPORT
    ) -> Recording:
        owner = "" if source is Source.FLEET else principal.user
        begin, admit = partial(self._begin, owner, source), partial(self._admit, principal)
        writing = Writing(self._store, self._clock, begin, admit)
        with self._counted():
            try:
                await writing.take(pieces)
                recording = _ended(writing)
                if not writing.lines:
                    return await self._opened(recording)
                await writing.flush()
                return await self.complete(recording.id, principal)
            except BaseException:
                await self._give_up(writing)
                raise

    async def extend(
        self, recording_id: str, start: int, pieces: AsyncIterable[bytes], principal: Principal
    ) -> Recording:
        recording = await self.get(recording_id, principal)
        progress = recording.progress
        if recording.is_complete or progress.has_ended:
            raise Conflict("The recording takes no more lines; it has ended")
        if start != progress.next_line and (progress.has_begun or start not in _FIRST_LINES):
            raise OutOfStep(f"The next line is {progress.next_line}, not {start}", progress.next_line)
        with self._counted():
            agents = await self._store.agents(recording_id)
            begin, admit = partial(self._begin, recording.owner, recording.source), partial(self._admit, principal)
            writing = Writing(self._store, self._clock, begin, admit, recording, agents, start)
            try:
                await writing.take(pieces)
            except Exception:  # what has come before stays; a cancelled one may be half way in another thread
                await writing.flush()
                raise
            await writing.flush()
        assert writing.recording is not None
        return writing.recording

    async def complete(
        self, recording_id: str, principal: Principal, aggregates: Mapping[str, Any] | None = None
    ) -> Recording:
        recording = await self.get(recording_id, principal)
        if recording.is_complete:
            return recording
        if not recording.progress.has_begun:
            raise Invalid("Nothing has been recorded yet")
        if is_deep(dict(aggregates or {})):
            raise Invalid(f"aggregates: more than {MAX_DEPTH} lists and objects within each other")
        task = self._completing.get(recording_id)
        if task is None:
            task = asyncio.create_task(self._complete(recording, aggregates or {}), name=recording_id)
            self._completing[recording_id] = task
            task.add_done_callback(self._completed)
        return await asyncio.shield(task)  # who asked may go away meanwhile

    async def discard(self, recording_id: str, principal: Principal) -> None:
        recording = await self.get(recording_id, principal)
        await remove(self._store, recording, self._clock.now().wall)
        self._forget()

    def _begin(self, owner: str, source: Source, header: Header) -> Recording:
        now = self._clock.now().wall
        return recording_from(header, new_id("rec", now), owner, source, now)

    async def _admit(self, principal: Principal, recording: Recording) -> None:
        """Raises Forbidden for a node that is somebody else's, Conflict for a run that is recorded already."""
        for other in await self._store.of_node(recording.node_id):
            if other.owner != recording.owner and not principal.sees_all:
                raise Forbidden("This node is somebody else's")
            if other.is_complete and other.run_id == recording.run_id and other.id != recording.id:
                raise Conflict(f"The run {recording.run_id} of this node is recorded already, as {other.id}")

    async def _opened(self, recording: Recording) -> Recording:
        """The open recording of this node and run that there is already, else this one."""
        for other in await self._store.of_node(recording.node_id):
            is_same = (other.run_id, other.owner) == (recording.run_id, recording.owner)
            if is_same and other.stage is Stage.OPEN and not other.progress.is_whole:
                return other
        opened = replace(recording, progress=Progress())
        await self._store.create(opened)
        return opened

    async def _complete(self, recording: Recording, aggregates: Mapping[str, Any]) -> Recording:
        await self._admit(CORE, recording)
        progress = replace(
            recording.progress, has_ended=True, aggregates={**recording.progress.aggregates, **aggregates}
        )
        sealed = replace(recording, version=recording.version + 1, progress=progress)
        await self._store.advance(sealed, recording.version)
        done = await Completing(self._store, self._clock, sealed).run()
        async with self._turn:  # of two of the same run, the second is refused
            await self._admit(CORE, done)
            await self._store.advance(done, done.version - 1)
        self._forget()
        try:
            return await clear(self._store, done)
        except StoreUnavailable:  # a sweep will see to it; the recording is complete all the same
            return done

    def _completed(self, task: asyncio.Task[Recording]) -> None:
        self._completing.pop(task.get_name(), None)
        if not task.cancelled():
            task.exception()  # whoever still waits for it is told

    async def _give_up(self, writing: Writing) -> None:
        """Leave nothing of what broke off; should that not work now, a sweep will see to it."""
        if writing.recording is not None and writing.is_stored:
            with suppress(Exception):
                left = await self._store.recording(writing.recording.id)
                if left is not None and not left.is_complete:
                    await remove(self._store, left, self._clock.now().wall)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._writers >= MOST_WRITERS:
            raise TooMany("Too many recordings are being written at once", _BUSY_RETRY)
        self._writers += 1
        try:
            yield
        finally:
            self._writers -= 1

    def _forget(self) -> None:
        self._changes += 1
        self._found.clear()

    # -- reading

    async def list(self, principal: Principal, cursor: str | None = None, limit: int = 100) -> Page[Recording]:
        if limit < 1:
            raise Invalid("limit must be 1 or more")
        owner = None if principal.sees_all else principal.user
        page = await self._store.recordings(owner, cursor, min(limit, MAX_LIMIT))
        return Page(tuple(one for one in page.items if one.stage is not Stage.GONE), page.next)

    async def get(self, recording_id: str, principal: Principal) -> Recording:
        recording = await self._store.recording(recording_id)
        if recording is None or recording.stage is Stage.GONE or not _may_see(principal, recording):
            raise NotFound("Recording not found")
        return recording

    async def find(self, node_id: str, principal: Principal) -> Recording:
        who = node_id, "*" if principal.sees_all else f"user {principal.user}"
        found = self._found.get(who)
        if found is None:
            changes = self._changes
            recordings = await self._store.of_node(node_id)
            seen = [one for one in recordings if one.is_complete and _may_see(principal, one)]
            if not seen:
                raise NotFound("No recording of this node")
            found = max(seen, key=lambda one: (one.completed_at, one.id))
            if changes == self._changes:
                _remember(self._found, who, found)
        return found

    def points(self, recording: Recording, where: Slice) -> AsyncIterator[dict[str, Any]]:
        return reading.read_points(self._store, recording, where)

    async def keyframe(self, recording: Recording, tick: int) -> Keyframe:
        return await reading.read_keyframe(self._store, recording, await self.summary(recording), tick)

    async def trajectory(
        self, recording: Recording, agent_id: str, first: int = 0, last: int | None = None, reasons: bool = False
    ) -> Trajectory:
        return await reading.read_trajectory(self._store, recording, agent_id, first, last, reasons)

    def profiles(self, recording: Recording) -> AsyncIterator[Profile]:
        return reading.read_profiles(self._store, recording)

    async def agents(self, recording: Recording, first: int = 0, limit: int = 100) -> tuple[str, ...]:
        return tuple(await self._store.agents(recording.id, first, first + limit - 1))

    def steps(self, recording: Recording, first: int, last: int) -> AsyncIterator[tuple[str, Step]]:
        return reading.read_steps(self._store, recording, first, last)

    async def events(self, recording: Recording, where: EventsWanted) -> EventsFound:
        return await reading.read_events(self._store, recording, await self.summary(recording), where)

    async def summary(self, recording: Recording) -> Summary:
        found = self._summaries.get(recording.id)
        if found is None:
            found = await reading.read_summary(self._store, recording)
            if len(found.ticks) + len(found.chunks) < _SMALL:
                _remember(self._summaries, recording.id, found)
        return found


def _ended(writing: Writing) -> Recording:
    """What a whole body came to. Raises BadLine unless it ends, or has nothing but the header."""
    if writing.recording is None:
        raise BadLine(1, "there is nothing; the first line must be of the kind recording")
    if writing.lines and not writing.has_ended:
        raise BadLine(writing.next_line, "the recording does not end; its last line must be of the kind end")
    return writing.recording


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _may_see(principal: Principal, recording: Recording) -> bool:
    """Its own user's, and every one with a key for all agents. The fleet's own have no user."""
    return principal.sees_all or recording.owner == principal.user
