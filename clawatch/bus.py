"""The bus: live views of what is committed. A slow subscriber is dropped, never waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from clawatch.domain.journal import Entry


class Subscription:
    """A bounded queue of entries. See ``ports.Subscription``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: deque[Entry] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self.is_dropped = False

    def offer(self, entries: Iterable[Entry]) -> None:
        if self._closed:
            return
        self._queue.extend(entries)
        if len(self._queue) > self._size:
            self._queue.clear()
            self.is_dropped = True
            self._closed = True
        self._ready.set()

    def close(self) -> None:
        self._closed = True
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[Entry]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._closed:
                return
            self._ready.clear()
            await self._ready.wait()


class Bus:
    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, entries: Iterable[Entry]) -> None:
        """Hand entries to every subscriber; never blocks."""
        for subscription in list(self._subscriptions):
            subscription.offer(entries)

    @asynccontextmanager
    async def subscribe(self, size: int = 1024) -> AsyncIterator[Subscription]:
        subscription = Subscription(size)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
