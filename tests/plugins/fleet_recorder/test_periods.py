"""Hours and days as they are where the owner lives."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from clawatch_plugins.fleet_recorder.periods import day_of, hour_of

from clawatch.domain.time import HOUR, MINUTE, iso, parse_iso


def test_an_hour_begins_with_the_local_one() -> None:
    hour = hour_of(parse_iso("2026-03-09T03:12:00Z"), ZoneInfo("Asia/Kolkata"))
    assert (iso(hour.start), hour.ticks) == ("2026-03-09T02:30:00.000Z", 60)


@pytest.mark.parametrize(
    ("instant", "zone", "hours"),
    [
        ("2026-03-29T12:00:00Z", "Europe/Berlin", 23),
        ("2026-10-25T12:00:00Z", "Europe/Berlin", 25),
        ("2026-03-09T12:00:00Z", "Europe/Berlin", 24),
        ("2026-10-04T02:00:00Z", "Australia/Lord_Howe", 23.5),
    ],
)
def test_a_day_consists_of_its_hours_also_when_clocks_are_changed(instant: str, zone: str, hours: float) -> None:
    where = ZoneInfo(zone)
    day = day_of(parse_iso(instant), where)
    assert day.ticks == hours * 60
    start, length = day.start, 0
    while start < day.end:
        hour = hour_of(start, where)
        assert (hour.start, day_of(start, where)) == (start, day)
        length, start = length + hour.ticks, hour.end
    assert length * MINUTE == hours * HOUR


def test_a_period_has_a_node_of_its_own_for_each_store() -> None:
    hour = hour_of(parse_iso("2026-03-09T00:30:00Z"), ZoneInfo("UTC"))
    day = day_of(hour.start, ZoneInfo("UTC"))
    assert hour.node_id("s") == hour_of(hour.start, ZoneInfo("UTC")).node_id("s")
    assert len({hour.node_id("s"), hour.node_id("t"), day.node_id("s")}) == 3
