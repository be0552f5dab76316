"""Usage told by metrics: points of tokens and money, gathered by agent, session and model. Public.

Deltas are usage; cumulative sums are counters that the ledger turns into usage, so that a reset begins anew and an
unchanged series is a sign of life and nothing more. None of it is progress: a metric says what was spent since the
last export, which may be a minute ago.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from clawatch.apis.attributes import MAX_COUNT, dollars
from clawatch.apis.telemetry import METRIC_RANK, MetricPoint
from clawatch.domain.events import Counter, Event, EventType, Facts, Signal, Turn, Usage
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis


class Used(Struct, frozen=True):
    """A point of a metric that tells usage, and what it adds to.

    ``measures``: ``cost`` (the value is dollars), ``input``, ``output``, ``cache_read``, ``cache_write``. A point of
    cached tokens adds to ``input`` too where the client's own input leaves them out.
    """

    point: MetricPoint
    measures: Sequence[str]
    agent_id: str
    session_id: str
    facts: Facts | None
    model: str
    provider: str | None = None


class Tally(Struct):
    """What one request tells of the usage of one session and model."""

    first: Used
    source: str
    rank: int
    at: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    counters: list[Counter] = field(default_factory=list)
    marks: list[tuple[str, int, int, int]] = field(default_factory=list)

    def add(self, used: Used) -> None:
        """Take in a point."""
        point, series = used.point, used.point.series
        self.at = max(self.at, point.at)
        for measure in used.measures:
            value = _amount(point.value, measure)
            if value is None:
                continue
            self.marks.append((series, point.started, point.at, value))
            if point.is_cumulative:
                counter = Counter(series=f"{series}:{measure}", started=point.started, value=value, measure=measure)
                self.counters.append(counter)
            else:
                self.sums[measure] = self.sums.get(measure, 0) + value

    def event(self) -> Event:
        """The usage; by its id the same export sent again is the same report."""
        who = self.first
        return Event(
            agent_id=who.agent_id,
            type=EventType.COST,
            at=self.at,
            id=f"metric:{hash_value(sorted(self.marks))}",
            session_id=who.session_id,
            signal=Signal.METRIC,
            rank=self.rank,
            source=self.source,
            facts=who.facts,
            usage=Usage(model=who.model, provider=who.provider, **self.sums),
            counters=tuple(self.counters),
            is_progress=False,
            is_hidden=True,
        )


def tell_usage(point: MetricPoint) -> bool:
    """Whether a point's value can be usage at all."""
    return math.isfinite(point.value) and point.value >= 0


def tally(points: Iterable[Used], source: str, rank: int = METRIC_RANK, opens: bool = False) -> list[Event]:
    """One event for each session and model that the points tell usage of.

    ``opens``: nobody else may tell the agent's turns, so each is said to rest between what it tells; else it would
    count as stuck once its process has ended.
    """
    tallies: dict[tuple[str, str, str], Tally] = {}
    first: dict[str, Used] = {}
    for used in points:
        key = (used.agent_id, used.session_id, used.model)
        if key not in tallies:
            tallies[key] = Tally(used, source, rank)
        tallies[key].add(used)
        if opens and _began(used) < _began(first.setdefault(used.agent_id, used)):
            first[used.agent_id] = used
    openings = [_opening(used, source) for used in first.values()]
    return [*openings, *(one.event() for one in tallies.values() if one.marks)]


def _began(used: Used) -> Millis:
    return used.point.started or used.point.at


def _opening(used: Used, source: str) -> Event:
    """Told with every request, since nobody knows whether the last one was taken; by its id it counts once."""
    return Event(
        agent_id=used.agent_id,
        type=EventType.HEARTBEAT,
        at=_began(used),
        id=f"opened:{used.session_id}",
        signal=Signal.METRIC,
        source=source,
        facts=used.facts,
        turn=Turn.CLOSED,
        is_progress=False,
        is_hidden=True,
    )


def _amount(value: float, measure: str) -> int | None:
    if measure == "cost":
        return dollars(value)
    return round(value) if value <= MAX_COUNT else None
