"""A clock that stands still until it is told."""

from __future__ import annotations

from clawatch.domain.time import Millis, Moment, parse_iso

START = parse_iso("2026-03-09T14:00:00Z")


class FakeClock:
    """Both clocks move together with ``advance``; ``jump`` moves the wall clock alone."""

    def __init__(self, wall: Millis = START, mono: Millis = 1_000_000) -> None:
        self._wall = wall
        self._mono = mono

    def now(self) -> Moment:
        return Moment(self._wall, self._mono)

    def advance(self, by: Millis) -> Moment:
        self._wall += by
        self._mono += by
        return self.now()

    def jump(self, by: Millis) -> Moment:
        self._wall += by
        return self.now()
