"""Gauges: numbers an agent reports of itself, and what is kept of them per bucket."""

from __future__ import annotations

from math import isfinite

from msgspec import Struct

from clawatch.domain.time import Millis

MOST_GAUGES = 256
"""Of one event; what comes beyond is kept in its data only."""
LONGEST_NAME = 200
LARGEST = 1e15
"""A greater number makes no series: it would drown every sum."""
BILLION = 10**9
LATENCY = "avg_response_ms"
"""A gauge of this name is a latency too."""
_ROLLING = ("_24h", "_1h")
"""How the names of counts over a sliding window end: what they rise by has happened since."""
_MOST_ROLLING = 9e9
_MOST = 2**62


class Gauge(Struct, frozen=True, kw_only=True):
    """All readings of one gauge in one bucket."""

    count: int
    sum: float
    last: float
    last_at: Millis
    rise: int = 0
    """Billionths by which a rolling count has grown in all, its falls left out. Exact, since it may be money."""

    @property
    def mean(self) -> float:
        return self.sum / self.count

    def __add__(self, later: Gauge) -> Gauge:
        """Both together; of two readings of the same instant the one that came later is the last."""
        is_newer = later.last_at >= self.last_at
        return Gauge(
            count=self.count + later.count,
            sum=self.sum + later.sum,
            last=later.last if is_newer else self.last,
            last_at=max(self.last_at, later.last_at),
            rise=min(self.rise + later.rise, _MOST),
        )


def reading(value: float, at: Millis, rise: int = 0) -> Gauge:
    return Gauge(count=1, sum=value, last=value, last_at=at, rise=rise)


def billionths(value: float) -> int:
    """Of a rolling count, which is never negative; bounded, so that it fits into 64 bits."""
    return round(min(max(value, 0.0), _MOST_ROLLING) * BILLION)


def is_kept(name: str, value: float) -> bool:
    """Whether a reading makes a series."""
    return isfinite(value) and abs(value) <= LARGEST and len(name) <= LONGEST_NAME


def is_rolling(name: str) -> bool:
    return name.endswith(_ROLLING)
