"""A sliding window over the times at which something happened, in whatever order it is heard of."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from clawatch.domain.time import Millis

MOST = 1_000
"""The largest threshold; it bounds what is kept."""


class Window:
    """Times in order, the newest few. A window reaches from one of them ``within`` back, ends included."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: list[Millis] = []

    def add(self, at: Millis, more_than: int, within: Millis) -> Millis | None:
        """The instant until which a window holds more than ``more_than`` with this one; None where none does."""
        insort(self._times, at)
        surplus = len(self._times) - 2 * (more_than + 1) - 16
        if surplus > 0:
            del self._times[:surplus]
        return self._crowded_until(at, more_than, within)

    def count(self, until: Millis, within: Millis) -> int:
        """How many there are in the window that ends at ``until``, as far as they are kept."""
        return bisect_right(self._times, until) - bisect_left(self._times, until - within)

    def _crowded_until(self, at: Millis, more_than: int, within: Millis) -> Millis | None:
        times = self._times
        place = bisect_left(times, at)
        last = min(place, len(times) - 1 - more_than)
        for first in range(last, max(0, place - more_than) - 1, -1):
            if times[first] <= at and times[first + more_than] - times[first] <= within:
                return times[first] + within
        return None
