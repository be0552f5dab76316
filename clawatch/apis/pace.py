"""The pace of long work: everything runs on one loop, and agents wait for the answers of their hooks."""

from __future__ import annotations

import asyncio
from time import perf_counter

LONGEST = 0.004
"""Seconds of work in one go. An answer takes several rounds of the loop, and is to be there within 50 ms."""


class Pace:
    """Call ``step`` between the parts of long work: it gives way to others once the work has gone on long enough."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = perf_counter()

    async def step(self) -> None:
        if perf_counter() - self._since >= LONGEST:
            await asyncio.sleep(0)
            self._since = perf_counter()
