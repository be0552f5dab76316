"""The vocabulary of the GenAI semantic conventions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.genai import OPERATION
from clawatch.apis.steps import Steps
from clawatch.apis.telemetry import MetricPoint
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.genai.metrics import CALL_RANK
from clawatch_plugins.genai.processes import Processes
from clawatch_plugins.genai.reading import read

KIND = "genai"
_SCOPES = ("pydantic-ai", "opentelemetry.util.genai")
_PREFIX = "gen_ai."


class GenAi:
    name = "genai"

    def __init__(self) -> None:
        self._steps = Steps(KIND, read, CALL_RANK)
        self._processes = Processes(KIND)

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``."""
        return scope.startswith(_SCOPES)

    def recognises(self, record: Any) -> bool:
        """See ``ports.Vocabulary``: whoever writes these attributes."""
        if isinstance(record, MetricPoint):
            return record.name.startswith(_PREFIX)
        return OPERATION in record.attributes

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        calls = self._processes.calls()
        told = (record for record in records if not isinstance(record, MetricPoint))
        yield from self._steps.map(told, now, calls.note)
        yield from calls.claims()
        points = [record for record in records if isinstance(record, MetricPoint)]
        if points:
            yield from self._processes.usage(points, now)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._steps.accepted(events)
        self._processes.accepted(events)
