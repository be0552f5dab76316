"""Gathering: work that is asked for at nearly the same time goes into the same commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
QUIET_ROUNDS = 2
"""Of the loop, after which what has been asked for is written; a request takes one or two to its handler."""
LONGEST_GATHERING = 0.002
"""Seconds; also while more keeps coming."""


class Gathering(Generic[T]):
    """Hands jobs over together that come one right after the other.

    The thread would take up the first alone, and all others would wait for its commit. So they are kept until a
    few rounds of the loop have brought no more: some microseconds when nothing else goes on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, put: Callable[[T], None]) -> None:
        self._loop = loop
        self._put = put
        self._jobs: list[T] = []
        self._quiet = 0
        self._until = 0.0

    def add(self, job: T) -> None:
        if not self._jobs:
            self._until = self._loop.time() + LONGEST_GATHERING
            self._loop.call_soon(self._look)
        self._jobs.append(job)
        self._quiet = 0

    def _look(self) -> None:
        self._quiet += 1
        if self._quiet > QUIET_ROUNDS or self._loop.time() >= self._until:
            self.hand_over()
        elif self._jobs:
            self._loop.call_soon(self._look)

    def hand_over(self) -> None:
        for job in self._jobs:
            self._put(job)
        self._jobs.clear()
