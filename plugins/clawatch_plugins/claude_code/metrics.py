"""Claude Code's counters of tokens and money, per session and model.

Deltas are usage; cumulative sums are counters that the ledger turns into usage. Everything else (sessions,
lines, commits, active time) is a sign of life. None of it is progress: a metric says what was spent since the
last export, which may be a minute ago.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct, field

from clawatch.apis.attributes import MAX_COUNT, dollars, text
from clawatch.apis.telemetry import MetricPoint
from clawatch.domain.events import Counter, Event, EventType, Signal, Usage
from clawatch.domain.hashing import hash_value
from clawatch_plugins.claude_code.identity import OTLP_SOURCE, Who
from clawatch_plugins.claude_code.usage import PROVIDER, model_of

RANK = 1
_COST = "claude_code.cost.usage"
_TOKENS = "claude_code.token.usage"
_MEASURES: dict[str | None, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "cacheRead": ("cache_read", "input"),
    "cacheCreation": ("cache_write", "input"),
}
"""What each ``type`` of tokens adds to; our input includes cached tokens, Claude Code's does not."""


def measures_of(point: MetricPoint) -> tuple[str, ...]:
    """The measures a point adds to; none when it is no usage."""
    if point.kind != "sum" or not math.isfinite(point.value) or point.value < 0:
        return ()
    if point.name == _COST:
        return ("cost",)
    return _MEASURES.get(text(point.attributes, "type"), ()) if point.name == _TOKENS else ()


class Tally(Struct):
    """One request's usage for one session and model."""

    who: Who
    model: str
    at: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    counters: list[Counter] = field(default_factory=list)
    marks: list[tuple[str, int, int, int]] = field(default_factory=list)

    def add(self, point: MetricPoint, measures: Sequence[str]) -> None:
        """Take in a point that adds to these measures."""
        series = point.series
        self.at = max(self.at, point.at)
        for measure in measures:
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
        return Event(
            agent_id=self.who.agent_id,
            type=EventType.COST,
            at=self.at,
            id=f"metric:{hash_value(sorted(self.marks))}",
            session_id=self.who.session_id,
            signal=Signal.METRIC,
            rank=RANK,
            source=OTLP_SOURCE,
            facts=self.who.facts,
            usage=Usage(model=self.model, provider=PROVIDER, **self.sums),
            counters=tuple(self.counters),
            is_progress=False,
            is_hidden=True,
        )


def tally(points: Sequence[tuple[MetricPoint, Who]]) -> list[Event]:
    """One event for each session and model that the points tell usage of."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    for point, who in points:
        model = model_of(point.attributes)
        mine = tallies.setdefault((who.agent_id, who.session_id, model), Tally(who, model))
        mine.add(point, measures_of(point))
    return [one.event() for one in tallies.values() if one.marks]


def _amount(value: float, measure: str) -> int | None:
    if measure == "cost":
        return dollars(value)
    return round(value) if value <= MAX_COUNT else None
