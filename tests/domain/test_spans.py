from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.spans import Kept, cover
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, parse_iso

NOON = parse_iso("2026-03-09T12:00:00Z")
instants = st.integers(0, 5 * DAY)


def test_whole_days_need_nothing_finer() -> None:
    spans = cover(NOON - 12 * HOUR, NOON + 12 * HOUR - 1, Kept())
    assert spans.days == ((NOON - 12 * HOUR, NOON + 12 * HOUR),)
    assert not (spans.hours or spans.minutes or spans.events)


def test_only_the_ragged_minutes_are_summed_from_events() -> None:
    spans = cover(NOON + 30 * SECOND, NOON + 5 * MINUTE, Kept())
    assert spans.events == (
        (NOON + 30 * SECOND, NOON + MINUTE),
        (NOON + 5 * MINUTE, NOON + 5 * MINUTE + 1),
    )
    assert spans.minutes == ((NOON + MINUTE, NOON + 5 * MINUTE),)


def test_without_bounds_everything_is_days() -> None:
    spans = cover(None, None, Kept())
    assert len(spans.days) == 1
    assert spans.days[0][0] == 0
    assert not (spans.hours or spans.minutes or spans.events)
    assert spans.resolution == "exact"


def test_a_bound_beyond_the_minutes_snaps_outwards_to_the_hour() -> None:
    spans = cover(NOON + 10 * MINUTE, None, Kept(minutes=NOON + DAY))
    assert spans.resolution == "hour"
    assert spans.hours[0][0] == NOON


def test_a_bound_beyond_the_events_snaps_to_the_minute() -> None:
    spans = cover(None, NOON + 10 * SECOND, Kept(events=NOON + DAY))
    assert spans.resolution == "minute"
    assert spans.minutes == ((NOON, NOON + MINUTE),)


def test_a_bound_on_the_hour_is_exact_without_minutes() -> None:
    assert cover(NOON, NOON + 2 * HOUR - 1, Kept(events=NOON + DAY, minutes=NOON + DAY)).resolution == "exact"


@settings(deadline=None)
@given(since=instants, until=instants, events=instants, minutes=instants, hours=instants)
def test_the_spans_cover_the_bounds_once_and_use_only_what_is_kept(
    since: int, until: int, events: int, minutes: int, hours: int
) -> None:
    kept = Kept(events=events, minutes=minutes, hours=hours)
    spans = cover(since, until, kept)
    pieces = sorted((*spans.events, *spans.minutes, *spans.hours, *spans.days))
    if until < since:
        return
    assert pieces[0][0] <= since
    assert pieces[-1][1] > until
    assert all(left[1] == right[0] for left, right in pairwise(pieces))
    if spans.resolution == "exact":
        assert (pieces[0][0], pieces[-1][1]) == (since, until + 1)
    for ranges, step, complete_from in (
        (spans.events, 1, events), (spans.minutes, MINUTE, minutes), (spans.hours, HOUR, hours), (spans.days, DAY, 0)
    ):
        assert all(a % step == 0 and b % step == 0 and a >= complete_from for a, b in ranges)
