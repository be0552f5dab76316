"""Claude Code's counters of tokens and money, per session and model.

Everything else (sessions, lines, commits, active time) is a sign of life.
"""

from __future__ import annotations

from collections.abc import Iterable

from clawatch.apis.attributes import text
from clawatch.apis.tally import Used, tally, tell_usage
from clawatch.apis.telemetry import METRIC_RANK, MetricPoint
from clawatch.domain.events import Event
from clawatch_plugins.claude_code.identity import OTLP_SOURCE, Who
from clawatch_plugins.claude_code.usage import PROVIDER, model_of

RANK = METRIC_RANK
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
    if point.kind != "sum" or not tell_usage(point):
        return ()
    if point.name == _COST:
        return ("cost",)
    return _MEASURES.get(text(point.attributes, "type"), ()) if point.name == _TOKENS else ()


def usage(points: Iterable[tuple[MetricPoint, Who]]) -> list[Event]:
    """One event for each session and model that the points tell usage of."""
    return tally((_used(point, who) for point, who in points), OTLP_SOURCE, RANK)


def _used(point: MetricPoint, who: Who) -> Used:
    model = model_of(point.attributes)
    return Used(point, measures_of(point), who.agent_id, who.session_id, who.facts, model, PROVIDER)
