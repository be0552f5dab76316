"""The few of Codex's spans that tell something; the others are told apart by their names and never looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from clawatch.apis.attributes import text
from clawatch.apis.genai import usage_of
from clawatch.apis.steps import Step, StepKind, Steps, Told
from clawatch.apis.telemetry import SPAN_RANK, SpanRecord
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.codex.identity import PRODUCT, conversation_of, whose

_ANSWER = "handle_responses"
_TURN = "session_task.turn"
_NAMES = frozenset({"run_turn", "codex.turn_input", "codex.exec", "session_loop"})
"""Spans that name the conversation."""
_ASKS = frozenset({"run_sampling_request", "try_run_sampling_request", "model_client.stream_responses_api"})
"""Spans that name the model, around the one that tells the answer's tokens."""
_TELLING = frozenset({_ANSWER, _TURN, *_NAMES})
_MAX_DEPTH = 20


class Spans:
    def __init__(self) -> None:
        self._steps = Steps(PRODUCT, _read, SPAN_RANK, whose, are_sessions=True, are_hidden=True)

    def map(self, spans: Sequence[SpanRecord], now: Millis) -> Iterator[Event | None]:
        """As ``ports.Vocabulary.map``."""
        if any(span.name in _TELLING for span in spans):
            return self._steps.map(spans, now, read=_reader(spans))
        return iter(())

    def accepted(self, events: Sequence[Event]) -> None:
        """As ``ports.Vocabulary.accepted``."""
        self._steps.accepted(events)


def _reader(spans: Sequence[SpanRecord]) -> Callable[[Told], Step | None]:
    """Reads one request's spans; an answer's model is told by a span around it."""
    parents = {span.span_id: span.parent_id for span in spans}
    models = {span.span_id: model for span in spans if span.name in _ASKS and (model := text(span.attributes, "model"))}

    def read(record: Told) -> Step | None:
        step = _read(record)
        if step is None or step.usage is None or step.usage.model or not isinstance(record, SpanRecord):
            return step
        return replace(step, usage=replace(step.usage, model=_nearest(record.parent_id, models, parents)))

    return read


def _nearest(span_id: str, models: dict[str, str], parents: dict[str, str]) -> str:
    for _ in range(_MAX_DEPTH):
        if span_id in models:
            return models[span_id]
        span_id = parents.get(span_id, "")
    return next(iter(models.values()), "")


def _read(record: Told) -> Step | None:
    if not isinstance(record, SpanRecord) or record.name not in _TELLING:
        return None
    told = record.attributes
    if record.name == _ANSWER:
        usage = usage_of(told)
        return None if usage is None else Step(kind=StepKind.MODEL, usage=usage)
    conversation = conversation_of(told)
    kind = StepKind.AGENT if record.name == _TURN else StepKind.NAME
    return None if conversation is None else Step(kind=kind, agent=conversation)
