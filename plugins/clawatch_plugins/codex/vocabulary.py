"""The vocabulary of Codex CLI (codex-rs/otel).

Logs tell everything and go first. A short turn has some 500 internal spans; one of them per answer tells its tokens,
one per tool its call, one its end, and only those are looked at. Metrics name no conversation and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.telemetry import LogRecord, SpanRecord
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.codex.logs import map_log
from clawatch_plugins.codex.spans import Spans

_PREFIX = "codex"
_SERVICES = ("codex_", "codex-")


class Codex:
    name = "codex"

    def __init__(self) -> None:
        self._spans = Spans()

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``. Each front end is a service of its own: codex_exec, codex-app-server."""
        return scope.startswith(_PREFIX) or str(resource.get("service.name", "")).startswith(_SERVICES)

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        spans: list[SpanRecord] = []
        for record in records:
            if isinstance(record, LogRecord):
                yield map_log(record, now)
            elif isinstance(record, SpanRecord):
                spans.append(record)
        if spans:
            yield from self._spans.map(spans, now)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._spans.accepted(events)
