"""The journal as its readers see it: the newest entries from memory, older ones from the store."""

from __future__ import annotations

import asyncio
from collections import deque

from clawatch.domain.journal import Committed, Entry
from clawatch.ports import StorePort

RECENT = 4096
"""Entries kept in memory; readers that fall further behind read the store."""


class Journal:
    """Follows the store's commits. Nothing is lost here: what is not in memory is in the store."""

    def __init__(self, store: StorePort) -> None:
        self._store = store
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._grown = asyncio.Event()

    @property
    def head(self) -> int:
        return self._store.head

    def apply(self, committed: Committed) -> None:
        """Take in a commit; called by the store's listener, in order."""
        self._recent.extend(committed.entries)
        if committed.entries:
            self._grown.set()
            self._grown = asyncio.Event()

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
        if store_id != self._store.id or not seq.isdecimal() or len(seq) > 18:
            return None
        after = int(seq)
        return after if self._store.tail - 1 <= after <= self._store.head else None
