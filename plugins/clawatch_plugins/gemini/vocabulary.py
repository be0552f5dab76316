"""The vocabulary of Gemini CLI (https://github.com/google-gemini/gemini-cli/blob/main/docs/cli/telemetry.md).

Its agents are its sessions, which the resource names. Logs go before metrics; spans, where switched on, repeat what
the logs tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.attributes import text
from clawatch.apis.identity import identify_session, session_of
from clawatch.apis.steps import SOURCE
from clawatch.apis.tally import Used, tally, tell_usage
from clawatch.apis.telemetry import METRIC_RANK, LogRecord, MetricPoint
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.gemini.logs import PRODUCT, PROVIDER, SHOWN, map_log

_TOKENS = "gemini_cli.token.usage"
_MEASURES: dict[str, tuple[str, ...]] = {
    "input": ("input",), "output": ("output",), "thought": ("output",), "cache": ("cache_read",), "tool": ("input",),
}
"""What each ``type`` of tokens adds to. Input includes cached tokens; output leaves thoughts out, which are billed."""


class Gemini:
    name = "gemini"

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``."""
        return resource.get("service.name") == PRODUCT or scope == PRODUCT

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        points: list[Used] = []
        for record in records:
            if isinstance(record, LogRecord):
                yield map_log(record, now)
            elif isinstance(record, MetricPoint):
                points += _used(record)
                yield None
        yield from tally(points, SOURCE, METRIC_RANK)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``. It remembers nothing."""


def _used(point: MetricPoint) -> list[Used]:
    session = session_of(point.attributes, point.resource)
    measures = _MEASURES.get(text(point.attributes, "type") or "", ())
    if point.name != _TOKENS or point.kind != "sum" or not measures or session is None or not tell_usage(point):
        return []
    who = identify_session(PRODUCT, SHOWN, session, point.resource, point.attributes)
    model = text(point.attributes, "model") or ""
    return [Used(point, measures, who.agent_id, session, who.facts, model, PROVIDER)]
