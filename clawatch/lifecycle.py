"""One stack on which parts are opened, and closed in reverse, each close bounded in time and logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

CLOSE_WITHIN = 5.0
"""Seconds a part may take to close before the next one's turn comes."""


class Lifecycle:
    """``async with Lifecycle(log) as life``: what is entered is closed at the end, last first.

    A part that fails to open closes those before it. A part that fails or hangs while closing is logged and
    keeps nobody else from closing.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._closing: list[tuple[str, Callable[[], Awaitable[object]]]] = []

    async def __aenter__(self) -> Lifecycle:
        return self

    async def enter(self, name: str, part: AbstractAsyncContextManager[T]) -> T:
        """Open a part; what it gives."""
        opened = await part.__aenter__()
        self.push(name, lambda: part.__aexit__(None, None, None))
        return opened

    def push(self, name: str, close: Callable[[], Awaitable[object]]) -> None:
        self._closing.append((name, close))

    def callback(self, name: str, close: Callable[[], object]) -> None:
        async def call() -> None:
            close()

        self.push(name, call)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._closing:
            name, close = self._closing.pop()
            try:
                async with asyncio.timeout(CLOSE_WITHIN):
                    await close()
            except TimeoutError:
                self._log.error("part.close_timed_out", part=name, seconds=CLOSE_WITHIN)
            except Exception:
                self._log.exception("part.close_failed", part=name)
