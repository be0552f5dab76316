"""An agent's rhythm: how far apart the beginnings of its bursts of work lie."""

from __future__ import annotations

from collections import deque

from clawatch.domain.time import MINUTE, Millis

QUIET: Millis = 3 * MINUTE
"""What comes after so long without work begins a new burst."""
KEPT = 12
"""Latest gaps."""
ENOUGH = 5
"""Gaps without which there is no rhythm."""
STEADY = 0.25
"""Most of the gaps lie within such a part of their median, or there is no rhythm."""
_MOST = 0.75


class Rhythm:
    """Times are of one clock, whichever; the gaps are what counts."""

    __slots__ = ("_gaps", "began_at", "worked_at")

    def __init__(self) -> None:
        self._gaps: deque[Millis] = deque(maxlen=KEPT)
        self.began_at: Millis | None = None
        """When the latest burst began."""
        self.worked_at: Millis | None = None

    def work(self, at: Millis, until: Millis | None = None) -> bool:
        """Whether a burst begins with it. ``until``: its end, where only the time is known within which it was."""
        begins = self.worked_at is None or at > self.worked_at + QUIET
        if begins:
            if self.began_at is not None:
                self._gaps.append(at - self.began_at)
            self.began_at = at
        until = at if until is None else until
        self.worked_at = until if self.worked_at is None else max(self.worked_at, until)
        return begins

    def shift(self, by: Millis) -> None:
        """Move to another clock."""
        self.began_at = None if self.began_at is None else self.began_at + by
        self.worked_at = None if self.worked_at is None else self.worked_at + by

    @property
    def interval(self) -> Millis | None:
        """The usual gap; None where there is none: too few, or too unlike each other."""
        if len(self._gaps) < ENOUGH:
            return None
        ordered = sorted(self._gaps)
        median = ordered[len(ordered) // 2]
        alike = sum(abs(gap - median) <= STEADY * median for gap in ordered)
        return median if alike >= _MOST * len(ordered) else None
