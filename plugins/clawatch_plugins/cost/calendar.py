"""Hours, days and months as people count them where they live."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from clawatch.domain.time import HOUR, MINUTE, SECOND, Millis
from clawatch_plugins.cost.settings import CALENDAR, Per

_ODD_STEP: Millis = 15 * MINUTE
"""Every zone of today is whole quarters of an hour off UTC."""


class Period(NamedTuple):
    """start ≤ instant < end."""

    start: Millis
    end: Millis


class Calendar:
    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._latest: dict[Per, Period] = {per: Period(0, 0) for per in CALENDAR}

    def period(self, per: Per, instant: Millis) -> Period:
        """The hour, day or month that an instant lies in."""
        latest = self._latest[per]
        if not latest.start <= instant < latest.end:
            latest = self._latest[per] = self._compute(per, instant)
        return latest

    def step(self, instant: Millis) -> Millis:
        """A grain that the periods around an instant are whole multiples of."""
        return HOUR if self._offset(instant) % HOUR == 0 else _ODD_STEP

    def _compute(self, per: Per, instant: Millis) -> Period:
        if per is Per.HOUR:
            offset = self._offset(instant)
            start = (instant + offset) // HOUR * HOUR - offset
            return Period(start, start + HOUR)
        day = self._local(instant).date()
        if per is Per.DAY:
            return Period(self._midnight(day), self._midnight(day + timedelta(days=1)))
        first = day.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        return Period(self._midnight(first), self._midnight(following))

    def _local(self, instant: Millis) -> datetime:
        return datetime.fromtimestamp(instant / SECOND, self._zone)

    def _offset(self, instant: Millis) -> Millis:
        offset = self._local(instant).utcoffset() or timedelta()
        return round(offset.total_seconds()) * SECOND

    def _midnight(self, day: date) -> Millis:
        return round(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()) * SECOND
