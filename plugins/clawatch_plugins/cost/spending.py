"""What an agent, or the fleet, has spent in each hour, day and month: exact, and no longer than needed."""

from __future__ import annotations

from statistics import median

from clawatch.domain.money import Nanos
from clawatch.domain.time import Millis
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.settings import CALENDAR, Per

KEPT = {Per.HOUR: 7 * 24, Per.DAY: 3, Per.MONTH: 3}
"""How many periods with spending are kept: a week of hours to compare with, else a little more than the present
one, so that a clock that is set forth and back loses nothing."""
FEWEST = 3
"""Past hours with spending that a comparison needs."""


class Spending:
    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[Per, dict[Millis, Nanos]] = {per: {} for per in CALENDAR}

    def add(self, at: Millis, amount: Nanos, calendar: Calendar) -> None:
        """``amount`` may be negative: a better report has taken the place of another."""
        for per in CALENDAR:
            self._grow(per, calendar.period(per, at).start, amount)

    def merge(self, other: Spending, sign: int = 1) -> None:
        """Add, or take out, all that another has spent."""
        for per, sums in other._sums.items():
            for start, amount in sums.items():
                self._grow(per, start, sign * amount)

    def within(self, per: Per, start: Millis) -> Nanos:
        """The sum of the period that starts then."""
        return self._sums[per].get(start, 0)

    def usual_hour(self, before: Millis) -> float | None:
        """The median of the past hours that cost anything; None when there are too few to tell."""
        past = [amount for start, amount in self._sums[Per.HOUR].items() if start < before and amount > 0]
        return median(past) if len(past) >= FEWEST else None

    def _grow(self, per: Per, start: Millis, amount: Nanos) -> None:
        sums = self._sums[per]
        sums[start] = sums.get(start, 0) + amount
        if len(sums) > KEPT[per]:
            del sums[min(sums)]
