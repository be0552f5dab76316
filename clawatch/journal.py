"""The journal as its readers see it: the newest entries from memory, older ones from the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec

from clawatch.domain.journal import Committed, Entry, Fill
from clawatch.ports import StorePort

RECENT = 4096
"""Entries kept in memory; readers that fall further behind read the store."""
RECENT_BYTES = 8 * 1024 * 1024
"""What the data of their events may come to as JSON; fewer entries are kept where they say so much."""


class Journal:
    """Follows the store's commits. Nothing is lost here: what is not in memory is in the store."""

    def __init__(self, store: StorePort) -> None:
        self._store = store
        self._recent: deque[Entry] = deque()
        self._weights: deque[int] = deque()
        self._weight = 0
        self._grown = asyncio.Event()

    @property
    def head(self) -> int:
        return self._store.head

    def apply(self, committed: Committed) -> None:
        """Take in a commit; called by the store's listener, in order."""
        self._keep(committed.entries)
        if committed.entries:
            self._grown.set()
            self._grown = asyncio.Event()

    def _keep(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            weight = _weight_of(entry)
            self._recent.append(entry)
            self._weights.append(weight)
            self._weight += weight
        while len(self._recent) > RECENT or self._weight > RECENT_BYTES:
            self._recent.popleft()
            self._weight -= self._weights.popleft()

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with seq > after, in commit order."""
        recent = self._recent
        if recent and recent[0].seq <= after + 1:
            start = after + 1 - recent[0].seq
            return [recent[i] for i in range(start, min(len(recent), start + limit))]
        if after >= self._store.head:
            return []
        return await self._store.read(after, limit)

    async def wait(self, after: int, seconds: float) -> None:
        """Return when there is an entry behind ``after``, or when the time is over."""
        if self._store.head > after:
            return
        grown = self._grown
        try:
            async with asyncio.timeout(seconds):
                await grown.wait()
        except TimeoutError:
            return

    # -- cursors: <store id>.<seq>, opaque to clients

    def cursor(self, seq: int | None = None) -> str:
        return f"{self._store.id}.{self._store.head if seq is None else seq}"

    def seq_of(self, cursor: str) -> int | None:
        """The seq a cursor names; None when it is unknown here, beyond the head or already pruned."""
        store_id, _, seq = cursor.rpartition(".")
        if store_id != self._store.id or not (seq.isascii() and seq.isdecimal()) or len(seq) > 18:
            return None
        after = int(seq)
        return after if self._store.tail - 1 <= after <= self._store.head else None


def _weight_of(entry: Entry) -> int:
    """About how many bytes an event's data has; the rest of an entry is small."""
    body = entry.body.event if isinstance(entry.body, Fill) else entry.body
    data = getattr(body, "data", None)
    if not isinstance(data, dict):
        return 0
    weight = 0
    for value in data.values():
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, (dict, list, tuple)):
            weight += _size_of(value)
    return weight


def _size_of(value: object) -> int:
    try:
        return len(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError):
        return RECENT_BYTES  # whoever stored it can hold it; we need not
