"""From our families to the official client's, which knows the format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from clawatch.domain.metrics import Family


class Gathered(Collector):
    """What was gathered a moment ago, for one answer."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return [_metric(family) for family in self._families]


def registry_of(families: Sequence[Family]) -> CollectorRegistry:
    """A registry of its own: the client's global one would publish whatever any library puts there."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gathered(families))
    ProcessCollector(registry=registry)  # memory, descriptors, CPU time, under Prometheus' usual names
    return registry


def _metric(family: Family) -> Metric:
    if family.kind == "histogram":
        return _histogram(family)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for sample in family.samples:
        metric.add_metric(sample.labels, sample.value)
    return metric


def _bound(bound: float) -> str:
    return "+Inf" if bound == math.inf else str(bound)


def _histogram(family: Family) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for sample in family.samples:
        buckets = [(_bound(bound), count) for bound, count in sample.buckets]
        metric.add_metric(sample.labels, buckets=buckets, sum_value=sample.value)
    return metric
