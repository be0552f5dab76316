"""Spans: which rollups a time range is summed from. Pure; every store answers cost queries with it."""

from __future__ import annotations

from msgspec import Struct

from clawatch.domain.time import DAY, HOUR, MINUTE, Millis

Range = tuple[Millis, Millis]
"""From the first up to, not including, the second."""
_END: Millis = 4_000_000 * DAY
"""Stands for no upper bound: beyond the year 9999, and a multiple of every grain."""


class Kept(Struct, frozen=True, kw_only=True):
    """From when on each grain is complete; before that it has been pruned. 0: nothing has."""

    events: Millis = 0
    minutes: Millis = 0
    hours: Millis = 0


class Spans(Struct, frozen=True, kw_only=True):
    """Ranges that together cover the bounds, none twice."""

    events: tuple[Range, ...] = ()
    minutes: tuple[Range, ...] = ()
    hours: tuple[Range, ...] = ()
    days: tuple[Range, ...] = ()
    resolution: str = "exact"
    """The coarsest grain a bound had to be widened to: ``exact``, ``minute``, ``hour`` or ``day``."""


_GRAINS = ("exact", "minute", "hour", "day")


def cover(since: Millis | None, until: Millis | None, kept: Kept) -> Spans:
    """Days, then hours, then minutes, and single events for the ragged minutes at both ends.

    Bounds are inclusive. Where the finer grain is pruned a bound is widened to the next one that is kept.
    """
    start, from_grain = _widened(since or 0, kept)
    end, to_grain = _widened(_END if until is None else until + 1, kept, up=True)
    resolution = _GRAINS[max(from_grain, to_grain)]
    if end <= start:
        return Spans(resolution=resolution)
    days, rest = _whole((start, end), DAY)
    hours, rest = _split(rest, HOUR)
    minutes, rest = _split(rest, MINUTE)
    return Spans(events=rest, minutes=minutes, hours=hours, days=days, resolution=resolution)


def _widened(bound: Millis, kept: Kept, up: bool = False) -> tuple[Millis, int]:
    """The bound, moved outwards where what lies finer is pruned, and the grain it had to be moved to."""
    for grain, step, complete_from in ((3, DAY, kept.hours), (2, HOUR, kept.minutes), (1, MINUTE, kept.events)):
        whole = bound - bound % step
        if whole == bound:
            break  # nothing finer is needed
        if whole < complete_from:
            return whole + step if up else whole, grain
    return bound, 0


def _whole(span: Range, step: Millis) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """The part of a range that is made of whole steps, and what is left at its ends."""
    start, end = span
    first, last = -(-start // step) * step, end - end % step
    if first >= last:
        return (), (span,)
    return ((first, last),), tuple(r for r in ((start, first), (last, end)) if r[0] < r[1])


def _split(spans: tuple[Range, ...], step: Millis) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    whole: list[Range] = []
    rest: list[Range] = []
    for span in spans:
        inner, outer = _whole(span, step)
        whole += inner
        rest += outer
    return tuple(whole), tuple(rest)
