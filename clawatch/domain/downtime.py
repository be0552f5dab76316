"""When the daemon was away, and could hear nobody."""

from __future__ import annotations

from collections.abc import Iterable

from clawatch.domain.time import Millis, Moment

Gap = tuple[Millis, Millis]
"""From and to, on the wall clock."""


class Downtime(int):
    """Milliseconds that it was away just now, before its start. ``since`` knows of the absences before as well."""

    gaps: tuple[Gap, ...]

    def __new__(cls, ms: Millis, gaps: Iterable[Gap] = ()) -> Downtime:
        self = super().__new__(cls, ms)
        self.gaps = tuple(gaps)
        return self

    @classmethod
    def until(cls, now: Millis, gaps: Iterable[Gap]) -> Downtime:
        """The last of the gaps ends now."""
        gaps = tuple(gaps)
        last = gaps[-1] if gaps else (now, now)
        return cls(last[1] - last[0] if last[1] == now else 0, gaps)

    def since(self, instant: Millis) -> Millis:
        """All that it was away after an instant. Where the gaps are not known, the last one counts whole."""
        if not self.gaps:
            return int(self)
        return sum(max(0, end - max(start, instant)) for start, end in self.gaps)

    def heard_at(self, instant: Millis, now: Moment) -> Millis:
        """When something was heard, on the monotonic clock, so that its age leaves out what we were away after it."""
        return min(now.mono, now.mono_at(instant) + self.since(instant))
