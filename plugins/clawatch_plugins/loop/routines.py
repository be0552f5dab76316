"""Routines: the same call once in each run, of a job that wakes up again and again to find nothing new."""

from __future__ import annotations

from collections import OrderedDict

from clawatch.domain.time import DAY, Millis
from clawatch_plugins.loop.calls import Basis, Call

RUNS = 10
MISSES = 3
"""A routine that so many runs in a row leave out is over."""
QUIET: Millis = DAY
"""So is one that is not heard of for so long."""
_CALLS = 64


class Routine:
    __slots__ = ("call", "last_run", "runs", "told")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.last_run = call.run
        self.runs = 1
        self.told = 0
        """The number of runs last told of."""


class Routines:
    """An agent's latest calls, whichever session they came in."""

    __slots__ = ("_calls", "heard_at", "telling")

    def __init__(self) -> None:
        self._calls: OrderedDict[int, Routine] = OrderedDict()
        self.telling: Routine | None = None
        """The one that an alert is open for."""
        self.heard_at: Millis = 0
        """When that was last called, on the monotonic clock."""

    def add(self, call: Call, heard_at: Millis) -> Routine | None:
        """The routine that this call belongs to when it is to be told of, or told of again as it has doubled."""
        if call.basis >= Basis.SIZE:
            return None
        routine = self._calls.get(call.signature)
        if routine is None or call.run - routine.last_run > MISSES:
            routine = self._calls[call.signature] = Routine(call)
        elif call.run > routine.last_run:
            routine.runs += 1
            routine.last_run = call.run
        self._calls.move_to_end(call.signature)
        if len(self._calls) > _CALLS:
            self._calls.popitem(last=False)
        if routine is self.telling:
            self.heard_at = heard_at
        if routine.runs < RUNS or routine.runs < 2 * routine.told or self.telling not in (None, routine):
            return None
        routine.told = routine.runs
        self.telling, self.heard_at = routine, heard_at
        return routine

    def is_over(self, run: int) -> bool:
        """Whether the runs have gone on without the one that is told of."""
        return self.telling is not None and run - self.telling.last_run > MISSES

    def end(self) -> None:
        if self.telling is not None:
            self._calls.pop(self.telling.call.signature, None)
            self.telling = None
