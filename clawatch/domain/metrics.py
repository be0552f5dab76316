"""Figures about the daemon itself, counted cheaply where things happen and gathered when somebody asks.

``core.metrics`` is one ``Metrics``; plugins may count in it too. Names follow Prometheus: ``clawatch_…``, base units,
no ``_total`` (whoever renders a counter adds it). Label values must come from a small set, never from an agent.
"""

from __future__ import annotations

import inspect
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Mapping
from itertools import accumulate
from typing import Literal

from msgspec import Struct

Labels = tuple[str, ...]
Reading = Mapping[Labels, float]
"""Values by label values; ``{(): 3.0}`` where there are no labels."""
Read = Callable[[], Reading | Awaitable[Reading]]

MOST_SERIES = 1_000
"""Series of one family; what would be a further one is counted under OTHER."""
OTHER = "other"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for durations of what a person or an agent waits for."""


class Sample(Struct, frozen=True):
    labels: Labels
    value: float
    """Of a histogram: the sum of what was observed."""
    buckets: tuple[tuple[float, int], ...] = ()
    """Of a histogram: (upper bound, how many were at most that), the last bound being infinite."""


class Family(Struct, frozen=True, kw_only=True):
    """All series of one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels
    samples: tuple[Sample, ...]


class Counter:
    """Only ever grows."""

    def __init__(self) -> None:
        self.values: dict[Labels, float] = {}
        self.live: Callable[[], Reading] | None = None
        """What is still being counted elsewhere and will be added at its end; told together with the rest."""

    def add(self, *labels: str, by: float = 1) -> None:
        known = self.values.get(labels)
        if known is None and len(self.values) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
            known = self.values.get(labels)
        self.values[labels] = by if known is None else known + by


class Gauge:
    """Stands where it was set."""

    def __init__(self) -> None:
        self.values: dict[Labels, float] = {}

    def set(self, value: float, *labels: str) -> None:
        self.values[labels] = value


class Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def sample(self) -> Sample:
        return Sample((), self._sum, tuple(zip((*self._bounds, float("inf")), accumulate(self._counts), strict=True)))


class _Described(Struct, frozen=True):
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels
    source: Counter | Gauge | Histogram | Read


class Metrics:
    """Asking for a name again gives what is there, so that counts go on over a reload of the configuration."""

    def __init__(self) -> None:
        self._families: dict[str, _Described] = {}

    def counter(self, name: str, help: str, labels: Labels = ()) -> Counter:
        source = self._known(name, _Described("counter", help, labels, Counter()))
        assert isinstance(source, Counter), name
        return source

    def gauge(self, name: str, help: str, labels: Labels = ()) -> Gauge:
        source = self._known(name, _Described("gauge", help, labels, Gauge()))
        assert isinstance(source, Gauge), name
        return source

    def histogram(self, name: str, help: str, bounds: tuple[float, ...] = SECONDS) -> Histogram:
        source = self._known(name, _Described("histogram", help, (), Histogram(bounds)))
        assert isinstance(source, Histogram), name
        return source

    def reading(
        self, name: str, help: str, read: Read, labels: Labels = (), kind: Literal["counter", "gauge"] = "gauge"
    ) -> None:
        """Ask ``read`` whenever somebody gathers; it replaces an earlier reading of this name."""
        self._families[name] = _Described(kind, help, labels, read)

    def counts(self, name: str) -> Reading:
        """What a counter stands at; empty while nothing has been counted."""
        described = self._families.get(name)
        return dict(described.source.values) if described and isinstance(described.source, Counter) else {}

    def total(self, name: str) -> float:
        """A counter over all its labels."""
        return sum(self.counts(name).values())

    def observed(self, name: str) -> tuple[int, float]:
        """How often a histogram has been given something, and the sum of it."""
        described = self._families.get(name)
        if described is None or not isinstance(described.source, Histogram):
            return 0, 0.0
        sample = described.source.sample()
        return sample.buckets[-1][1], sample.value

    def _known(self, name: str, described: _Described) -> Counter | Gauge | Histogram | Read:
        return self._families.setdefault(name, described).source

    async def gather(self) -> list[Family]:
        """Everything as it stands. What cannot be read is left out, and counted as such."""
        families: list[Family] = []
        failed = self.counter("clawatch_metrics_failed", "Figures that could not be read", ("name",))
        for name, described in sorted(self._families.items()):
            try:
                samples = await _samples(described.source)
            except Exception:
                failed.add(name)
                continue
            families.append(
                Family(name=name, kind=described.kind, help=described.help, labels=described.labels, samples=samples)
            )
        return families


async def _samples(source: Counter | Gauge | Histogram | Read) -> tuple[Sample, ...]:
    if isinstance(source, Histogram):
        return (source.sample(),)
    if isinstance(source, Counter) and source.live is not None:
        so_far = Tally({**source.values})
        so_far.update(source.live())
        return tuple(Sample(labels, value) for labels, value in so_far.items())
    if isinstance(source, Counter | Gauge):
        return tuple(Sample(labels, value) for labels, value in source.values.items())
    reading = source()
    if inspect.isawaitable(reading):
        reading = await reading
    return tuple(Sample(labels, value) for labels, value in reading.items())
