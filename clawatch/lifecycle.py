"""One stack on which the daemon's parts are opened, and closed in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

CLOSE_TIMEOUT = 10.0
"""Seconds that one part may take to close."""
LEAST = 0.5
"""Seconds that one part may take when the others have used up the time."""


class Lifecycle:
    """Open parts with ``enter``; leaving the context closes them, the last one first.

    A part that cannot be opened raises, after those before it are closed. One that fails to close, or takes too
    long, is logged and left; the others are closed all the same, in the task that opened them.
    """

    def __init__(
        self, log: FilteringBoundLogger, timeout: float = CLOSE_TIMEOUT, within: float | None = None
    ) -> None:
        """``within``: seconds for all parts together to close. One that comes last still gets LEAST."""
        self._log = log
        self._timeout = timeout
        self._within = within
        self._deadline: float | None = None
        self._stack = AsyncExitStack()

    async def enter(self, name: str, part: AbstractAsyncContextManager[T]) -> T:
        """Open a part."""
        opened = await part.__aenter__()
        self.push(name, lambda: part.__aexit__(None, None, None))
        self._log.debug("part.opened", part=name)
        return opened

    def push(self, name: str, close: Callable[[], Awaitable[object]]) -> None:
        """Await ``close`` when it is this part's turn."""
        self._stack.push_async_callback(self._close, name, close)

    def callback(self, name: str, close: Callable[[], object]) -> None:
        """Call ``close`` when it is this part's turn."""

        async def closing() -> None:
            close()

        self.push(name, closing)

    async def close(self) -> None:
        """Close everything now; once closed there is nothing left to close."""
        self._deadline = None if self._within is None else monotonic() + self._within
        await self._stack.aclose()

    async def __aenter__(self) -> Lifecycle:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _close(self, name: str, close: Callable[[], Awaitable[object]]) -> None:
        started = monotonic()
        try:
            # A time-out in this task, not a task of its own: what was opened here may have to be closed here.
            async with asyncio.timeout(self._allowed(started)):
                await close()
        except TimeoutError:
            self._log.warning("part.close_timed_out", part=name, seconds=round(monotonic() - started, 1))
        except Exception:
            self._log.exception("part.close_failed", part=name)
        else:
            self._log.debug("part.closed", part=name)

    def _allowed(self, now: float) -> float:
        return self._timeout if self._deadline is None else min(self._timeout, max(LEAST, self._deadline - now))
