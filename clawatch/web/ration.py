"""A ration of log lines: whoever is refused very often must not fill the disk with it."""

from __future__ import annotations

from collections import Counter

from clawatch.apis.limits import Buckets
from clawatch.domain.time import MINUTE, Millis
from clawatch.settings import RateLimit

LINES = RateLimit(60, MINUTE)
"""For each reason."""
MOST_REASONS = 256


class Ration:
    """So many lines per reason and minute. The next one that is written says how many were left out before it."""

    def __init__(self, rate: RateLimit = LINES) -> None:
        self._buckets = Buckets(rate, MOST_REASONS)
        self._left_out: Counter[str] = Counter()

    def take(self, reason: str, mono: Millis) -> dict[str, int] | None:
        """What to add to the line; None when it is to be left out. Reasons are few: they are ours, not a client's."""
        if self._buckets.take(reason, mono):
            self._left_out[reason] += 1
            return None
        left_out = self._left_out.pop(reason, 0)
        return {"left_out": left_out} if left_out else {}
