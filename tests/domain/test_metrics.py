from __future__ import annotations

import math

from clawatch.domain.metrics import MOST_SERIES, OTHER, Family, Metrics


async def gathered(metrics: Metrics, name: str) -> Family:
    return next(family for family in await metrics.gather() if family.name == name)


async def test_a_counter_counts_by_its_labels() -> None:
    metrics = Metrics()
    counter = metrics.counter("events", "Events", ("source",))
    counter.add("otlp")
    counter.add("otlp", by=2)
    counter.add("hooks")
    family = await gathered(metrics, "events")
    assert {sample.labels: sample.value for sample in family.samples} == {("otlp",): 3, ("hooks",): 1}


async def test_asking_again_goes_on_counting() -> None:
    metrics = Metrics()
    metrics.counter("events", "Events").add()
    metrics.counter("events", "Events").add()
    assert (await gathered(metrics, "events")).samples[0].value == 2


async def test_series_are_bounded() -> None:
    counter = Metrics().counter("events", "Events", ("source",))
    for number in range(MOST_SERIES + 50):
        counter.add(str(number))
    assert len(counter.values) == MOST_SERIES + 1
    assert counter.values[OTHER,] == 50


async def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    metrics = Metrics()
    histogram = metrics.histogram("seconds", "Seconds", (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    sample = (await gathered(metrics, "seconds")).samples[0]
    assert sample.buckets == ((0.1, 2), (1.0, 3), (math.inf, 4))
    assert sample.value == 7.65


async def test_readings_are_asked_when_somebody_gathers_and_one_that_fails_is_left_out() -> None:
    metrics = Metrics()

    async def later() -> dict[tuple[str, ...], float]:
        return {(): 2.0}

    def never() -> dict[tuple[str, ...], float]:
        raise OSError

    metrics.reading("now", "Now", lambda: {(): 1.0})
    metrics.reading("later", "Later", later)
    metrics.reading("a_broken_one", "Never", never)
    families = {family.name: family.samples for family in await metrics.gather()}
    assert families["now"][0].value == 1.0
    assert families["later"][0].value == 2.0
    assert "a_broken_one" not in families
    assert families["clawatch_metrics_failed"][0].labels == ("a_broken_one",)
