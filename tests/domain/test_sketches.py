from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.sketches import ACCURACY, LONGEST_MS, Sketch

latencies = st.lists(st.floats(0, 1e8, allow_nan=False), min_size=1, max_size=60)
QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def true_quantile(values: list[float], q: float) -> float:
    return sorted(values)[max(ceil(q * len(values) - 1e-9), 1) - 1]


def micros(ms: float) -> int:
    return round(ms * 1_000)


@given(latencies)
def test_every_quantile_is_within_one_percent(values: list[float]) -> None:
    sketch = sketch_of(values)
    for q in QUANTILES:
        truth = true_quantile(values, q)
        assert sketch.quantile(q) == pytest.approx(truth, rel=ACCURACY * 1.0001, abs=0.001)


@given(latencies, latencies)
def test_a_union_has_the_sketch_of_both_merged(one: list[float], other: list[float]) -> None:
    merged = sketch_of(one)
    merged.merge(sketch_of(other))
    assert merged == sketch_of(one + other)
    for q in QUANTILES:
        assert merged.quantile(q) == pytest.approx(true_quantile(one + other, q), rel=ACCURACY * 1.0001, abs=0.001)


@given(latencies)
def test_a_sketch_survives_being_packed(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert Sketch.unpack(sketch.pack(), sketch.total, sketch.low, sketch.high) == sketch


@given(latencies)
def test_percentiles_never_fall_and_sum_and_ends_are_exact(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert sketch.quantile(0.5) <= sketch.quantile(0.95) <= sketch.quantile(0.99)
    assert (sketch.total, sketch.count) == (sum(map(micros, values)), len(values))
    assert (sketch.low, sketch.high) == (micros(min(values)), micros(max(values)))


def test_the_tail_of_a_few_is_the_greatest_of_them() -> None:
    few = sketch_of([100, 200, 300, 400, 850, 2000])
    assert [few.quantile(q) for q in (0.95, 0.99)] == [2000, 2000]
    assert few.quantile(0.5) == pytest.approx(300, rel=ACCURACY)


def test_equal_latencies_are_given_exactly() -> None:
    assert [sketch_of([850.0] * 7).quantile(q) for q in QUANTILES] == [850.0] * 5


def test_an_empty_sketch_has_nothing_to_say() -> None:
    empty = Sketch()
    assert (empty.count, empty.mean, empty.quantile(0.5)) == (0, 0.0, 0.0)
    other = sketch_of([1])
    other.merge(empty)
    assert other == sketch_of([1])


def test_many_of_one_kind_need_no_more_than_wider_counts() -> None:
    sketch = Sketch()
    for _ in range(300):
        sketch.add(5)
    twice = Sketch()
    twice.merge(sketch)
    for _ in range(20):
        same = Sketch()
        same.merge(twice)
        twice.merge(same)
    assert (len(sketch.pack()), len(twice.pack()), twice.count) == (5, 7, 300 * 2**20)
    assert Sketch.unpack(twice.pack(), twice.total, twice.low, twice.high) == twice


def test_what_takes_forever_counts_as_eleven_days() -> None:
    assert sketch_of([float("inf")]).quantile(0.5) == LONGEST_MS


def test_a_sketch_takes_three_bytes_a_bin() -> None:
    sketch = sketch_of([10.0, 100.0, 1000.0, 1000.0])
    assert len(sketch.pack()) == 1 + 3 * 3
