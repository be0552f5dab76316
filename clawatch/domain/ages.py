"""How long ago something was, by the monotonic clock: setting the wall clock makes nothing older or younger."""

from __future__ import annotations

from collections.abc import Collection

from clawatch.domain.time import Millis, Moment

MOST_INSTANTS = 4
"""Of one thing: what is asked for are its newest."""


class Ages:
    """Instants of the wall clock, each placed on the monotonic one when it is first asked for."""

    def __init__(self) -> None:
        self._placed: dict[str, dict[Millis, Millis]] = {}

    def of(self, thing: str, instant: Millis, now: Moment) -> Millis:
        """How long ago the thing's instant was. What is new has to be asked for soon."""
        placed = self._placed.setdefault(thing, {})
        if instant not in placed:
            if len(placed) >= MOST_INSTANTS:
                del placed[next(iter(placed))]
            placed[instant] = now.mono_at(instant)
        return now.mono - placed[instant]

    def forget(self, thing: str) -> None:
        self._placed.pop(thing, None)

    def keep(self, things: Collection[str]) -> None:
        """Forget all others."""
        for gone in self._placed.keys() - things:
            del self._placed[gone]
