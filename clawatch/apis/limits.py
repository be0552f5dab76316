"""Rates: how often somebody may do something, counted in bounded memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from clawatch.domain.time import SECOND, Millis, Moment
from clawatch.settings import RateLimit

MAX_COUNTED = 10_000
"""Callers remembered per limit; whoever has been quiet longest is forgotten first."""


class Buckets:
    """A token bucket for each caller.

    Kept as one number per caller: the instant at which the bucket is full again (the generic cell rate
    algorithm). Instants are monotonic milliseconds.
    """

    def __init__(self, rate: RateLimit, capacity: int = MAX_COUNTED) -> None:
        self.rate = rate
        self._step = rate.period / rate.times
        self._capacity = capacity
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, who: str, mono: Millis) -> float:
        """0 when it may happen, and it is counted; else the seconds to wait, and it is not counted."""
        full_at = max(self._full_at.get(who, 0.0), float(mono)) + self._step
        wait = full_at - mono - self.rate.period
        if wait > _ROUNDING:
            return wait / SECOND
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        if len(self._full_at) > self._capacity:
            self._full_at.popitem(last=False)
        return 0.0

    def wait(self, who: str, mono: Millis) -> float:
        """What ``take`` would answer, without counting."""
        wait = max(self._full_at.get(who, 0.0), float(mono)) + self._step - mono - self.rate.period
        return wait / SECOND if wait > _ROUNDING else 0.0

    def left(self, who: str, mono: Millis) -> int:
        """How often it may happen right now."""
        used = max(self._full_at.get(who, 0.0) - mono, 0.0)
        return max(0, int((self.rate.period - used + _ROUNDING) / self._step))


def rate_headers(buckets: Buckets, who: str, now: Moment) -> dict[str, str]:
    """How much somebody has left, and when (in seconds of Unix time) all of it is there again."""
    rate, left = buckets.rate, buckets.left(who, now.mono)
    full_in = (rate.times - left) * rate.period / rate.times
    return {
        "X-RateLimit-Limit": str(rate.times),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": str(math.ceil((now.wall + full_in) / SECOND)),
    }


_ROUNDING = 1e-6
"""Sums of steps miss the period by less than this."""


def is_over_rate(request: web.BaseRequest) -> bool:
    """Whether this request came over its caller's rate; only routes that are answered nevertheless ever see it."""
    return _OVER_RATE in request


def mark_over_rate(request: web.BaseRequest) -> None:
    request[_OVER_RATE] = True


_OVER_RATE = web.RequestKey("over_rate", bool)


@lru_cache(maxsize=MAX_COUNTED)
def counted_address(address: str) -> str:
    """Whom an address stands for: itself, or its /64, since one IPv6 user holds at least that much."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Address(int(ip) >> 64 << 64)) + "/64"
