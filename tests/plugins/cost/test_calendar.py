"""Periods where people live: daylight saving, odd offsets, the ends of months and years."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.settings import CALENDAR, Per
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.time import HOUR, MINUTE, iso, parse_iso

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "America/Sao_Paulo"]


def bounds(zone: str, per: Per, at: str) -> list[str]:
    return [iso(bound)[:16] for bound in Calendar(ZoneInfo(zone)).period(per, parse_iso(at))]


@pytest.mark.parametrize(
    ("zone", "per", "at", "start", "end"),
    [
        ("UTC", Per.DAY, "2026-03-09T14:00:00Z", "2026-03-09T00:00", "2026-03-10T00:00"),
        ("Europe/Berlin", Per.DAY, "2026-03-08T23:30:00Z", "2026-03-08T23:00", "2026-03-09T23:00"),
        ("Europe/Berlin", Per.DAY, "2026-03-29T12:00:00Z", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("Europe/Berlin", Per.DAY, "2026-10-25T12:00:00Z", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("Europe/Berlin", Per.MONTH, "2026-03-31T21:59:59Z", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("UTC", Per.MONTH, "2026-12-31T23:59:59Z", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("Asia/Kolkata", Per.HOUR, "2026-03-09T14:00:00Z", "2026-03-09T13:30", "2026-03-09T14:30"),
        ("America/Sao_Paulo", Per.DAY, "2018-11-04T12:00:00Z", "2018-11-04T03:00", "2018-11-05T02:00"),  # no midnight
    ],
)
def test_a_period_is_the_local_one(zone: str, per: Per, at: str, start: str, end: str) -> None:
    assert bounds(zone, per, at) == [start, end]


def test_a_period_holds_its_start_and_not_its_end() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    day = calendar.period(Per.DAY, parse_iso("2026-03-29T12:00:00Z"))
    assert calendar.period(Per.DAY, day.start) == day
    assert calendar.period(Per.DAY, day.end - 1) == day
    assert calendar.period(Per.DAY, day.end).start == day.end


@settings(max_examples=60)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(CALENDAR),
    st.lists(st.integers(946_684_800, 2_051_222_400), min_size=1, max_size=4),
)
def test_every_instant_lies_in_its_period_in_whatever_order_they_are_asked_for(
    zone: str, per: Per, seconds: list[int]
) -> None:
    calendar = Calendar(ZoneInfo(zone))
    for instant in (second * 1000 for second in seconds):
        start, end = calendar.period(per, instant)
        assert start <= instant < end
        assert start % calendar.step(start) == 0


def test_the_grain_of_a_zone_divides_its_hours() -> None:
    at = parse_iso("2026-03-09T14:00:00Z")
    assert Calendar(ZoneInfo("Europe/Berlin")).step(at) == HOUR
    assert Calendar(ZoneInfo("Asia/Kathmandu")).step(at) == 15 * MINUTE
