"""Instants and durations. Inside ClaWatch an instant is an int: milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

Millis = int
"""Milliseconds: an instant since the epoch (UTC), or a duration."""

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR

LATEST: Millis = 253_402_300_799_999
"""The last instant that has a date: the end of 9999, UTC."""
MAX_DURATION_TEXT = 30

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class Moment(NamedTuple):
    """One look at both clocks.

    ``wall`` is what people read and what is stored; it may jump. ``mono`` never jumps and means
    nothing outside this process: deadlines are computed with it.
    """

    wall: Millis
    mono: Millis

    def mono_at(self, instant: Millis) -> Millis:
        """An instant of the wall clock on the monotonic one; what lies in the future is now."""
        return self.mono - max(0, self.wall - instant)


@lru_cache(maxsize=4096)
def iso(instant: Millis) -> str:
    """The instant in ISO 8601, UTC, with milliseconds and ``Z``."""
    seconds, millis = divmod(instant, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def parse_iso(text: str) -> Millis:
    """An ISO 8601 / RFC 3339 date-time (or date) as an instant; without an offset it is UTC.

    Raises ValueError when the text is none, or lies outside the years 1970 to 9999.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    instant = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
    if not 0 <= instant <= LATEST:
        raise ValueError(f"{text!r} lies outside the years 1970 to 9999 of UTC")
    return instant


def parse_duration(text: str) -> Millis:
    """``90s``, ``5m``, ``1h``, ``30d``, ``1h30m`` in milliseconds; raises ValueError naming the form."""
    matches = list(_DURATION.finditer(text)) if len(text) <= MAX_DURATION_TEXT else []
    if not matches or "".join(m.group() for m in matches) != text:
        raise ValueError(f"{text[:MAX_DURATION_TEXT]!r} is not a duration; write it like 90s, 5m, 1h or 30d")
    return int(sum(float(m.group(1)) * _UNITS[m.group(2)] for m in matches))


def say_duration(duration: Millis) -> str:
    """A duration for people: its two largest units, ``2 h 5 min``, ``40 s``."""
    parts: list[str] = []
    rest = max(0, duration)
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
