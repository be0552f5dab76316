"""What is reckoned once, when a recording is completed: how many agents had decided when, and the aggregates."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from msgspec import Struct

from clawatch.domain.recordings.lines import EventLine, Number
from clawatch.domain.recordings.recording import Part
from clawatch.domain.recordings.trajectories import Profile

TOP = 5
MAIN_METRIC = "adoption_rate"
"""What distributions and aggregates are about where it is recorded; else the first metric is."""


class TopEvent(Struct, frozen=True, array_like=True):
    tick: int
    type: str
    impact: int | float


class EventChunk(Struct, frozen=True, array_like=True):
    """A block of events: its first and last tick, how many there are, and the weightiest."""

    first: int
    last: int
    count: int
    top: list[TopEvent]


class Counts(Struct, frozen=True):
    """``active``: have taken a step; of them ``decided`` and ``undecided``."""

    total: int
    active: int
    decided: int
    undecided: int


class Summary(Struct, frozen=True, kw_only=True):
    """``active`` and ``decided`` are how many agents were by each of ``ticks``."""

    ticks: list[int] = []
    active: list[int] = []
    decided: list[int] = []
    chunks: list[EventChunk] = []
    aggregates: dict[str, Any] = {}

    def counts(self, tick: int, total: int) -> Counts:
        place = bisect_right(self.ticks, tick) - 1
        active, decided = (self.active[place], self.decided[place]) if place >= 0 else (0, 0)
        return Counts(total, active, decided, active - decided)


def weightiest(events: Iterable[TopEvent]) -> list[TopEvent]:
    return heapq.nlargest(TOP, events, key=lambda event: (abs(event.impact), -event.tick))


class Reckoning:
    """Gathers what the summary is made of; bounded by the number of ticks and names, not of agents or steps."""

    def __init__(self) -> None:
        self._began: Counter[int] = Counter()
        self._decided: Counter[int] = Counter()
        self._populations: dict[str, Counter[str]] = {"segment": Counter(), "region": Counter()}
        self._converted: Counter[str] = Counter()
        self._factors: Counter[str] = Counter()
        self._finals: dict[str, Number] = {}
        self._peaks: dict[str, tuple[float, int]] = {}
        self.chunks: list[EventChunk] = []

    def agent(self, profile: Profile, began: int | None) -> None:
        """``began``: its first step; it decides no earlier than that."""
        for where, name in (("segment", profile.segment), ("region", profile.region)):
            if name is not None:
                self._populations[where][name] += 1
        if began is not None:
            self._began[began] += 1
        if profile.decision_tick is not None:
            self._decided[profile.decision_tick] += 1
            if began is None:
                self._began[profile.decision_tick] += 1
            self._converted[profile.segment or ""] += 1

    def tick(self, tick: int, metrics: Mapping[str, Number]) -> None:
        for name, value in metrics.items():
            self._finals[name] = value
            if value is not None and (name not in self._peaks or value > self._peaks[name][0]):
                self._peaks[name] = (value, tick)

    def events(self, events: list[EventLine]) -> None:
        """A chunk of them, in order."""
        top = weightiest(TopEvent(e.tick, e.type, e.impact_score) for e in events if e.impact_score is not None)
        self.chunks.append(EventChunk(events[0].tick, events[-1].tick, len(events), top))
        for event in events:
            for name in event.variable_changes if event.impact_score else ():
                self._factors[name] += abs(event.impact_score or 0)  # type: ignore[assignment]

    def parts(self, where: str, names: Iterable[str]) -> tuple[Part, ...]:
        return tuple(Part(name, self._populations[where][name]) for name in names)

    def summary(self, metrics: tuple[str, ...], given: Mapping[str, Any]) -> Summary:
        ticks = sorted(self._began.keys() | self._decided.keys())
        return Summary(
            ticks=ticks,
            active=list(accumulate(self._began[tick] for tick in ticks)),
            decided=list(accumulate(self._decided[tick] for tick in ticks)),
            chunks=self.chunks,
            aggregates={**self._derived(metrics), **given},
        )

    def _derived(self, metrics: tuple[str, ...]) -> dict[str, Any]:
        """What the recorder did not say is reckoned; null where there is nothing to reckon it from."""
        main = main_metric(metrics)
        return {
            "final_adoption_rate": None,
            "peak_adoption_rate": None,
            **{f"final_{name}": self._finals.get(name) for name in metrics},
            **{f"peak_{name}": peak for name, (peak, _) in self._peaks.items()},
            "peak_tick": self._peaks[main][1] if main in self._peaks else None,
            "average_decision_tick": self._average(),
            "median_decision_tick": self._median(),
            "conversion_by_segment": self._conversion(),
            "top_influencing_factors": self._influences(),
        }

    def _average(self) -> float | None:
        number = self._decided.total()
        return sum(tick * count for tick, count in self._decided.items()) / number if number else None

    def _median(self) -> float | None:
        ticks = sorted(self._decided)
        reached = list(accumulate(self._decided[tick] for tick in ticks))
        if not reached:
            return None
        low, high = ((reached[-1] - 1) // 2, reached[-1] // 2)
        return (ticks[bisect_right(reached, low)] + ticks[bisect_right(reached, high)]) / 2

    def _conversion(self) -> dict[str, float]:
        return {name: self._converted[name] / number for name, number in self._populations["segment"].items()}

    def _influences(self) -> list[dict[str, Any]]:
        """By the variables that events changed: each one's share of all events' impact."""
        total = sum(self._factors.values())
        return [
            {"factor": name, "weight": round(weight / total, 4)} for name, weight in self._factors.most_common(TOP)
        ]


def main_metric(metrics: tuple[str, ...]) -> str | None:
    if MAIN_METRIC in metrics:
        return MAIN_METRIC
    return metrics[0] if metrics else None
