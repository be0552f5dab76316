"""Completing: staged blocks into final ones, then one commit that makes them visible; and what is cleared away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Sequence

from msgspec.structs import replace

from clawatch.domain.recordings import Block, Kind, Progress, Recording, Stage
from clawatch.domain.recordings.finishing import AgentsBlock, Events, Ticks
from clawatch.domain.recordings.recording import AGENTS_PER_BLOCK, STAGED, pack
from clawatch.domain.recordings.summary import Reckoning
from clawatch.domain.time import DAY, HOUR, Millis
from clawatch.ports import Clock, Conflict, RecordingsStore

COMMIT_BYTES = 2 * 1024 * 1024
"""Of final blocks in one commit."""
PARTS_AT_ONCE = 8
"""Staged blocks in memory together."""
REMOVED_AT_ONCE = 500
ABANDONED_AFTER: Millis = 7 * DAY
"""Nobody has gone on with an open recording for so long that nobody will."""


class Completing:
    """Makes one sealed recording readable. The same staged blocks give the same final ones: it may be done again."""

    def __init__(self, store: RecordingsStore, clock: Clock, recording: Recording) -> None:
        self._store = store
        self._clock = clock
        self._recording = recording
        self._reckoning = Reckoning()
        self._waiting: list[Block] = []
        self._waiting_bytes = 0
        self._size = 0

    async def run(self) -> Recording:
        """The complete recording, yet to be stored: ``advance`` to it makes it visible."""
        await self._agents()
        chunks = await self._ticks()
        await self._events()
        before, reckoning = self._recording, self._reckoning
        summary = reckoning.summary(before.metrics, before.progress.aggregates)
        await self._put([Block(Kind.SUMMARY, 0, 0, pack(summary))])
        await self._commit()
        now = self._clock.now().wall
        return replace(
            self._recording, version=self._recording.version + 1, stage=Stage.COMPLETE, completed_at=now,
            touched_at=now, segments=reckoning.parts("segment", (part.name for part in before.segments)),
            regions=reckoning.parts("region", (part.name for part in before.regions)), chunks=tuple(chunks),
            size_bytes=self._size, has_scraps=True, progress=Progress(next_line=before.progress.next_line),
        )  # fmt: skip

    async def _agents(self) -> None:
        names = list(await self._store.agents(self._recording.id))
        for key in range(self._recording.agent_blocks):
            mine = names[key * AGENTS_PER_BLOCK : (key + 1) * AGENTS_PER_BLOCK]
            block = AgentsBlock(key, mine, self._reckoning)
            async for body in self._staged(Kind.STAGED_AGENTS, key):
                await asyncio.to_thread(block.add_profiles, body)
            async for body in self._staged(Kind.STAGED_STEPS, key):
                await self._put(await asyncio.to_thread(block.add_steps, body))
            await self._put(await asyncio.to_thread(block.end))

    async def _ticks(self) -> Sequence[int]:
        ticks = Ticks(self._recording, self._reckoning)
        async for body in self._staged(Kind.STAGED_TICKS, 0):
            await self._put(await asyncio.to_thread(list, ticks.add(body)))
        await self._put(await asyncio.to_thread(list, ticks.end()))
        return ticks.chunks

    async def _events(self) -> None:
        events = Events(self._recording, self._reckoning)
        async for body in self._staged(Kind.STAGED_EVENTS, 0):
            await self._put(await asyncio.to_thread(list, events.add(body)))
        await self._put(await asyncio.to_thread(list, events.end()))

    async def _staged(self, kind: Kind, key: int) -> AsyncIterator[bytes]:
        for first in range(0, self._recording.progress.flushes, PARTS_AT_ONCE):
            last = first + PARTS_AT_ONCE - 1
            for block in await self._store.blocks(self._recording.id, [kind], [key], first, last):
                yield block.body

    async def _put(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self._waiting.append(block)
            self._waiting_bytes += len(block.body)
            self._size += len(block.body)
        if self._waiting_bytes >= COMMIT_BYTES:
            await self._commit()

    async def _commit(self) -> None:
        before = self._recording
        after = replace(before, version=before.version + 1, touched_at=self._clock.now().wall)
        await self._store.advance(after, before.version, self._waiting)
        self._recording, self._waiting, self._waiting_bytes = after, [], 0


async def clear(store: RecordingsStore, recording: Recording) -> Recording:
    """Remove what a complete recording was made from."""
    while await store.remove(recording.id, STAGED, REMOVED_AT_ONCE):
        pass
    tidy = replace(recording, version=recording.version + 1, has_scraps=False)
    await store.advance(tidy, recording.version)
    return tidy


async def remove(store: RecordingsStore, recording: Recording, now: Millis) -> None:
    """Hide a recording, then remove it bit by bit; what breaks off here, ``sweep`` goes on with."""
    if recording.stage is not Stage.GONE:
        gone = replace(recording, version=recording.version + 1, stage=Stage.GONE, touched_at=now)
        await store.advance(gone, recording.version)
    while await store.remove(recording.id, None, REMOVED_AT_ONCE):
        pass


async def sweep(store: RecordingsStore, now: Millis, busy: Container[str], broken_before: Millis = 0) -> None:
    """Clear away what earlier writers have left; what ``busy`` names is being completed.

    A body that came in one piece and began before ``broken_before`` has broken off with the daemon that read it.
    """
    cursor: str | None = None
    while True:
        page = await store.recordings(None, cursor, 100)
        for recording in page.items:
            if recording.id not in busy:
                await _tidy(store, recording, now, broken_before)
        if page.next is None:
            return
        cursor = page.next


async def _tidy(store: RecordingsStore, recording: Recording, now: Millis, broken_before: Millis) -> None:
    progress, quiet = recording.progress, now - recording.touched_at
    is_broken = progress.is_whole and (recording.created_at < broken_before or quiet > HOUR)
    try:
        if recording.is_complete and recording.has_scraps:
            await clear(store, recording)
        elif recording.stage is Stage.GONE or (
            recording.stage is Stage.OPEN and (is_broken or quiet > ABANDONED_AFTER)
        ):
            await remove(store, recording, now)
    except Conflict:
        return  # somebody has gone on with it just now
