"""Hooks that have been answered and are still to be stored: in order, bounded, tried again while the store is down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from clawatch.domain.access import Principal
from clawatch.domain.events import Event
from clawatch.ports import ClaWatchError, IngestPort, StoreUnavailable

SIZE = 10_000
_BATCH = 500
_RETRY = 1.0
"""Seconds between tries while the store takes nothing."""


@dataclass(frozen=True)
class Item:
    event: Event | None
    principal: Principal
    then: Callable[[], Awaitable[None]] | None = None
    """Called once the event is stored."""


class Backlog:
    def __init__(self, ingest: IngestPort, log: FilteringBoundLogger, size: int = SIZE) -> None:
        self._ingest = ingest
        self._log = log
        self._size = size
        self._items: deque[Item] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Take it, or drop it when there are too many; never waits."""
        if len(self._items) >= self._size:
            self._log.warning("claude_code.hook_dropped", waiting=len(self._items))
            return
        self._items.append(item)
        self._arrived.set()

    async def run(self) -> None:
        """Store what arrives, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if not await self.flush():
                await asyncio.sleep(_RETRY)
                self._arrived.set()

    async def flush(self) -> bool:
        """Store what there is; False when the store takes nothing now, and what is left is kept."""
        while self._items:
            try:
                await self._store_some()
            except StoreUnavailable as error:
                self._log.warning("claude_code.hooks_wait_for_store", waiting=len(self._items), why=str(error))
                return False
        return True

    async def close(self) -> None:
        """Store what is left, if that can be."""
        if not await self.flush():
            self._log.error("claude_code.hooks_lost", lost=len(self._items))

    async def _store_some(self) -> None:
        items = self._next()
        events = [item.event for item in items if item.event is not None]
        if events:
            await self._accept(events, items[0].principal)
        for _ in items:
            self._items.popleft()
        await self._follow_up([item for item in items if item.then is not None])

    async def _follow_up(self, items: list[Item]) -> None:
        for index, item in enumerate(items):
            try:
                if item.then is not None:
                    await item.then()
            except StoreUnavailable:
                self._items.extendleft(replace(rest, event=None) for rest in reversed(items[index:]))
                raise
            except ClaWatchError as error:
                self._log.warning("claude_code.brake_not_told", why=str(error))

    def _next(self) -> list[Item]:
        principal = self._items[0].principal
        items: list[Item] = []
        for item in self._items:
            if item.principal != principal or len(items) == _BATCH:
                break
            items.append(item)
        return items

    async def _accept(self, events: list[Event], principal: Principal) -> None:
        try:
            receipt = await self._ingest.accept(events, principal)
        except StoreUnavailable:
            raise
        except Exception:
            self._log.exception("claude_code.hooks_refused", lost=len(events))
            return
        if receipt.rejected:
            self._log.warning("claude_code.hooks_rejected", rejected=len(receipt.rejected), why=receipt.rejected[0][1])
