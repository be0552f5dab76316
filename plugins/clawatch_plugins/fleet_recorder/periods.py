"""The periods that are recorded: the hours of a day where the owner lives, and its days."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta, tzinfo
from datetime import date as date_

from msgspec import Struct

from clawatch.domain.time import HOUR, MINUTE, Millis, iso

HOUR_KIND, DAY_KIND = "hour", "day"


class Period(Struct, frozen=True):
    kind: str
    start: Millis
    end: Millis
    """Exclusive."""

    @property
    def ticks(self) -> int:
        """Minutes."""
        return (self.end - self.start) // MINUTE

    @property
    def run_id(self) -> str:
        return f"{self.kind} {iso(self.start)}"

    def node_id(self, store_id: str) -> str:
        """The same for the same period of the same store, ever after."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"clawatch:{store_id}/{iso(self.start)}/{iso(self.end)}"))


def day_of(instant: Millis, zone: tzinfo) -> Period:
    """The day in which an instant lies. One has 23 or 25 hours where clocks are changed."""
    date = datetime.fromtimestamp(instant / 1000, zone).date()
    start, end = _midnight(date, zone), _midnight(date + timedelta(days=1), zone)
    return Period(DAY_KIND, start, end)


def hour_of(instant: Millis, zone: tzinfo) -> Period:
    """Hours are counted from midnight, so that days consist of whole ones wherever one lives."""
    day = day_of(instant, zone)
    start = instant - (instant - day.start) % HOUR
    return Period(HOUR_KIND, start, min(start + HOUR, day.end))


def _midnight(date: date_, zone: tzinfo) -> Millis:
    moment = datetime.combine(date, time(), zone).astimezone(UTC)
    return int(moment.timestamp()) * 1000
