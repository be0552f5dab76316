"""An agent's telemetry put together: events where it sends them, else what it reported of itself.

A bot says every minute how many messages the last hour (``messages_1h``) and the last day (``messages_24h``) had. Such
rolling counts are turned into a series by what is exact at each resolution, see ``Rolling``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import UNSET

from clawatch.domain.gauges import BILLION, Gauge
from clawatch.domain.journal import ZERO, Measures
from clawatch.domain.money import Nanos
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import DAY, HOUR, SECOND, Millis
from clawatch.ports import GaugePoint, LatencyPoint, Point
from clawatch_plugins.clawdnet.amounts import written
from clawatch_plugins.clawdnet.wire import Amount, Count, Data, Mean, MetricsSummary, Percentiles

METRICS = ("messages", "latency", "errors", "revenue", "sessions", "memory", "cpu")
MEANS = {"sessions": "active_sessions", "memory": "memory_mb", "cpu": "cpu_percent"}
"""Metrics that are the mean of a gauge."""
ROLLING = ("messages_1h", "messages_24h", "revenue_1h", "revenue_24h", "skill.*.revenue_1h", "skill.*.revenue_24h")
GAUGES = (*MEANS.values(), *ROLLING)


@dataclass(frozen=True)
class Grid:
    """The buckets of a series: from ``first`` on, each ``step`` long, up to ``end``."""

    first: Millis
    end: Millis
    step: Millis

    @classmethod
    def ending(cls, now: Millis, period: Millis, step: Millis) -> Grid:
        """As many whole steps as the period has, at least one; the last is the one that goes on now."""
        end = now - now % step + step
        return cls(end - max(step, period // step * step), end, step)

    @property
    def buckets(self) -> range:
        return range(self.first, self.end, self.step)


@dataclass(frozen=True)
class Found:
    series: Sequence[Point]
    latencies: Sequence[LatencyPoint]
    gauges: Sequence[GaugePoint]
    hourly: Sequence[GaugePoint]
    """Rolling counts by the hour, where the steps are days; else by the step."""


def report_of(found: Found, grid: Grid, wanted: Sequence[str]) -> tuple[Data, MetricsSummary]:
    sums = {point.at: point.measures for point in found.series}
    latencies = {point.at: point.sketch for point in found.latencies}
    rolling = Rolling(grid, found)
    messages = _messages(grid, sums, rolling)
    revenue = _revenue(grid, sums, rolling)
    stamps = [_stamp(at) for at in grid.buckets]

    errors = [sums.get(at, ZERO).errors for at in grid.buckets]
    data = Data(
        messages=tuple(map(Count, stamps, messages)),
        latency=tuple(_percentiles(at, latencies[at]) for at in grid.buckets if at in latencies),
        errors=tuple(map(Count, stamps, errors)),
        revenue=tuple(map(Amount, stamps, map(written, revenue))),
        **{metric: _means(found.gauges, name) for metric, name in MEANS.items()},
    )
    for metric in METRICS:
        if metric not in wanted:
            setattr(data, metric, UNSET)
    return data, _summary(messages, errors, revenue, latencies.values())


class Rolling:
    """Rolling counts as a series, in billionths.

    By the hour what the last report of the hour said of the last hour, by the day likewise of the day; finer than an
    hour what the daily count has risen by. Where that one is not reported: the hourly rise, the sum of the hours.
    """

    def __init__(self, grid: Grid, found: Found) -> None:
        self._step = grid.step
        self._gauges: defaultdict[str, dict[Millis, Gauge]] = defaultdict(dict)
        self._hours: defaultdict[str, defaultdict[Millis, int]] = defaultdict(lambda: defaultdict(int))
        for point in found.gauges:
            self._gauges[point.name][point.at] = point.gauge
        for point in found.hourly:
            self._hours[point.name][point.at - point.at % grid.step] += _billionths(point.gauge.last)

    def counted(self, name: str) -> list[str]:
        """The counts there are of this name: its own, else those of skills."""
        own = [name] if f"{name}_1h" in self._gauges or f"{name}_24h" in self._gauges else []
        skills = (gauge.rpartition("_")[0] for gauge in self._gauges if gauge.startswith("skill."))
        return own or sorted({skill for skill in skills if skill.endswith(f".{name}")})

    def at(self, name: str, bucket: Millis) -> int:
        hour, day = self._gauges[f"{name}_1h"].get(bucket), self._gauges[f"{name}_24h"].get(bucket)
        if self._step == DAY:
            return _billionths(day.last) if day else self._hours[f"{name}_1h"].get(bucket, 0)
        if self._step == HOUR and hour:
            return _billionths(hour.last)
        told = day or hour
        return told.rise if told else 0


def _billionths(value: float) -> int:
    """Exact: a float has more digits than any amount that is reported."""
    return round(value * BILLION)


def _messages(grid: Grid, sums: dict[Millis, Measures], rolling: Rolling) -> list[int]:
    if any(measures.messages for measures in sums.values()):
        return [sums.get(at, ZERO).messages for at in grid.buckets]
    return [round(rolling.at("messages", at) / BILLION) for at in grid.buckets]


def _revenue(grid: Grid, sums: dict[Millis, Measures], rolling: Rolling) -> list[Nanos]:
    if any(measures.revenue for measures in sums.values()):
        return [sums.get(at, ZERO).revenue for at in grid.buckets]
    names = rolling.counted("revenue")
    return [sum(rolling.at(name, at) for name in names) for at in grid.buckets]


def _means(gauges: Iterable[GaugePoint], name: str) -> tuple[Mean, ...]:
    return tuple(Mean(_stamp(point.at), round(point.gauge.mean, 3)) for point in gauges if point.name == name)


def _percentiles(at: Millis, sketch: Sketch) -> Percentiles:
    p50, p95, p99 = (round(sketch.quantile(q), 3) for q in (0.5, 0.95, 0.99))
    return Percentiles(_stamp(at), p50, p95, p99)


def _summary(
    messages: Sequence[int], errors: Sequence[int], revenue: Sequence[Nanos], latencies: Iterable[Sketch]
) -> MetricsSummary:
    every = Sketch()
    for sketch in latencies:
        every.merge(sketch)
    total = sum(messages)
    return MetricsSummary(
        total_messages=total,
        avg_latency_ms=round(every.mean, 3),
        error_rate=round(min(1.0, sum(errors) / total), 6) if total else 0.0,
        total_revenue=written(sum(revenue)),
    )


def _stamp(at: Millis) -> str:
    """Buckets begin at whole minutes: no fractions of seconds."""
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
