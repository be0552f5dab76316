"""Sketches: percentiles of latencies that can be merged, in a few bytes per bucket.

A DDSketch (https://arxiv.org/abs/1908.10693): values are counted in bins whose bounds grow by 2 %, so the middle of a
bin is within 1 % of everything in it. The library of that name writes a single value as a kilobyte and takes 0.1 ms
to read and write one; here it is three bytes per bin, and merging touches only the bins that grow.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from math import ceil, log

ACCURACY = 0.01
"""Relative error of every quantile."""
LONGEST_MS = 1_000_000_000.0
"""Eleven days; whatever is said to have taken longer counts as this, so that sums stay far from 64 bits."""

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(_GAMMA)
_WIDTHS = ("B", "H", "I", "Q")
_MICROS = 1_000
_ROUNDING = 1e-9


class Sketch:
    """Latencies in milliseconds, kept in whole microseconds. Sum, least and greatest are exact."""

    __slots__ = ("_counts", "_keys", "high", "low", "total")

    def __init__(self) -> None:
        self._keys = array("H")
        """Bins in ascending order: 0 below a microsecond, else 1 + the logarithm of the upper bound."""
        self._counts = array("B")
        """How many are in each; as narrow as they fit."""
        self.total = 0
        """Microseconds."""
        self.low = 0
        self.high = 0

    @property
    def count(self) -> int:
        return sum(self._counts)

    @property
    def mean(self) -> float:
        """Milliseconds; 0 when there are none."""
        return self.total / count / _MICROS if (count := self.count) else 0.0

    def add(self, ms: float) -> None:
        """Count one latency, 0 or more."""
        micros = round(min(ms, LONGEST_MS) * _MICROS)
        self._stretch(micros, micros)
        self.total += micros
        self._count(ceil(log(micros) / _LOG_GAMMA) + 1 if micros else 0, 1)

    def merge(self, other: Sketch) -> None:
        """Count everything that the other has counted."""
        if not other._keys:
            return
        self._stretch(other.low, other.high)
        self.total += other.total
        for key, count in zip(other._keys, other._counts, strict=True):
            self._count(key, count)

    def quantile(self, q: float) -> float:
        """The least value that a share of ``q`` (0 to 1) does not exceed, in milliseconds within 1 %; 0 of none."""
        rank = ceil(q * self.count - _ROUNDING)
        seen = 0
        for key, count in zip(self._keys, self._counts, strict=True):
            seen += count
            if seen >= rank:
                middle = 2 * _GAMMA ** (key - 1) / (_GAMMA + 1) if key else 0.0
                return min(max(middle, self.low), self.high) / _MICROS
        return 0.0

    def pack(self) -> bytes:
        """The bins as bytes; with ``total``, ``low`` and ``high`` they make the sketch again."""
        width = bytes((self._counts.itemsize,))
        return b"".join((width, _ordered(self._keys).tobytes(), _ordered(self._counts).tobytes()))

    @classmethod
    def unpack(cls, packed: bytes, total: int, low: int, high: int) -> Sketch:
        one = cls()
        counts = array(next(width for width in _WIDTHS if array(width).itemsize == packed[0]))
        split = 1 + 2 * ((len(packed) - 1) // (2 + packed[0]))
        one._keys.frombytes(packed[1:split])
        counts.frombytes(packed[split:])
        one._keys, one._counts = _ordered(one._keys), _ordered(counts)
        one.total, one.low, one.high = total, low, high
        return one

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Bins and how many are in them."""
        return zip(self._keys, self._counts, strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        exact = (self.total, self.low, self.high) == (other.total, other.low, other.high)
        return exact and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Sketch({dict(self)}, total={self.total}, low={self.low}, high={self.high})"

    def _stretch(self, low: int, high: int) -> None:
        if low < self.low or not self._keys:
            self.low = low
        if high > self.high:
            self.high = high

    def _count(self, key: int, count: int) -> None:
        keys = self._keys
        at = bisect_left(keys, key)
        if at == len(keys) or keys[at] != key:
            keys.insert(at, key)
            self._counts.insert(at, 0)
        total = self._counts[at] + count
        try:
            self._counts[at] = total
        except OverflowError:
            wide_enough = next(width for width in _WIDTHS if not total >> 8 * array(width).itemsize)
            self._counts = array(wide_enough, self._counts)
            self._counts[at] = total


def _ordered(values: array[int]) -> array[int]:
    """Little-endian from this machine's order, and back."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values
