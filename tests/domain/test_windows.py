"""The sliding window against its plain definition."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.windows import Window


@settings(max_examples=150)
@given(st.lists(st.integers(0, 300), max_size=40), st.integers(0, 4), st.integers(1, 60))
def test_it_is_crowded_exactly_when_some_stretch_with_the_new_time_is(
    times: list[int], more_than: int, within: int
) -> None:
    window = Window()
    heard: list[int] = []
    for at in times:
        heard = sorted([*heard, at])[-(2 * (more_than + 1) + 16) :]
        found = window.add(at, more_than, within)
        stretches = [
            first
            for first, last in zip(heard, heard[more_than:], strict=False)
            if last - first <= within and first <= at <= last
        ]
        assert found == (max(stretches) + within if stretches else None)


def test_it_keeps_only_so_many() -> None:
    window = Window()
    for at in range(10_000):
        window.add(at, 3, 10)
    assert window.count(10_000, 10_000) < 30
