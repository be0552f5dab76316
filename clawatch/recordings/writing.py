"""Writing: a body's lines into an open recording, with a bounded part of them in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator

from msgspec.structs import replace

from clawatch.domain.recordings import BadLine, Header, LineReader, Progress, Recording
from clawatch.domain.recordings.gathering import Gathering
from clawatch.domain.recordings.lines import Numbered
from clawatch.ports import Clock, RecordingsStore

FLUSH_BYTES = 8 * 1024 * 1024
"""Of lines, between two flushes."""
PIECE = 256 * 1024
"""Bytes that are parsed in one go, beside the event loop."""


class Writing:
    """One body on its way in. Without a ``recording`` the first line has to be the header of one."""

    def __init__(
        self,
        store: RecordingsStore,
        clock: Clock,
        begin: Callable[[Header], Recording],
        admit: Callable[[Recording], Awaitable[None]],
        recording: Recording | None = None,
        agents: dict[str, int] | None = None,
        start: int = 1,
    ) -> None:
        self._store = store
        self._clock = clock
        self._begin = begin
        self._admit = admit
        self.recording = recording
        self._gathering = None if recording is None else Gathering(recording, agents or {})
        self._start = start
        self._reader = LineReader(start)
        self._is_stored = recording is not None
        self._size = 0
        self.lines = 0
        """Taken, the header not counted."""

    @property
    def next_line(self) -> int:
        return self._reader.next

    @property
    def is_stored(self) -> bool:
        return self._is_stored

    @property
    def has_ended(self) -> bool:
        return self._gathering is not None and self._gathering.has_ended

    async def take(self, pieces: AsyncIterable[bytes]) -> None:
        """Everything to the end; stores all but what is left for the last ``flush``. Raises BadLine."""
        async for piece in _gathered(pieces):
            await self._feed(self._reader.feed(piece))
            self._size += len(piece)
            if self._size >= FLUSH_BYTES and self.lines:  # of empty lines nothing waits to be stored
                await self.flush()
        await self._feed(self._reader.end())

    async def flush(self) -> None:
        """Store what has been taken so far."""
        if self._gathering is None or self.recording is None or self._reader.next == self._start:
            return
        await self._store_recording()
        expected = self.recording.version
        gathered = await asyncio.to_thread(self._gathering.flush, self._reader.next, self._clock.now().wall)
        await self._store.advance(gathered.recording, expected, gathered.blocks, gathered.agents)
        self.recording, self._size = gathered.recording, 0

    async def _store_recording(self) -> None:
        if not self._is_stored and self.recording is not None:
            await self._store.create(self.recording)
            self._is_stored = True

    async def _feed(self, lines: Iterator[Numbered]) -> None:
        is_new = self.recording is None
        await asyncio.to_thread(self._take, lines)
        if is_new and self.recording is not None:
            await self._admit(self.recording)

    def _take(self, lines: Iterator[Numbered]) -> None:
        for number, line in lines:
            if self._gathering is None:
                self._open(number, line)
            elif not self._is_repeated(line):
                self._gathering.take(number, line)
                self.lines += 1

    def _open(self, number: int, line: object) -> None:
        if not isinstance(line, Header):
            raise BadLine(number, "the first line must be of the kind recording")
        self.recording = replace(self._begin(line), progress=Progress(is_whole=True))
        self._gathering = Gathering(self.recording, {})

    def _is_repeated(self, line: object) -> bool:
        """Whether it is the header again, in front of the first frames: many send their whole file."""
        is_first = self._is_stored and not self.lines
        return (
            is_first and isinstance(line, Header) and self.recording is not None
            and not self.recording.progress.has_begun and line.node_id.lower() == self.recording.node_id
        )  # fmt: skip


async def _gathered(pieces: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    """The same in larger pieces: each costs a way to another thread and back."""
    waiting = bytearray()
    try:
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= PIECE:
                yield bytes(waiting)
                waiting.clear()
    except Exception:  # they have broken off: what is there already counts
        yield bytes(waiting)
        raise
    if waiting:
        yield bytes(waiting)
