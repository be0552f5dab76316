"""The vocabulary of opencode, and of the AI SDK's spans that it writes.

The AI SDK tells a call twice: ``ai.streamText`` sums up what ``ai.streamText.doStream`` says of each request, so only
the latter counts. The metrics of opencode's plugin go before spans, which come for some requests only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.attributes import text
from clawatch.apis.contents import args_hash, content
from clawatch.apis.genai import first, inclusive, model_of, provider_of
from clawatch.apis.identity import Who, identify, identify_session, session_of
from clawatch.apis.steps import SOURCE, Step, StepKind, Steps
from clawatch.apis.tally import Used, tally, tell_usage
from clawatch.apis.telemetry import LOG_RANK, MetricPoint, SpanRecord
from clawatch.domain.events import Event, Tool, Usage
from clawatch.domain.time import Millis

KIND = "opencode"
_CALLS = (".doStream", ".doGenerate", ".doEmbed")
_TOOL = "ai.toolCall"
_RUNS = frozenset({"ai.streamText", "ai.generateText", "ai.streamObject", "ai.generateObject"})
_TOKENS: dict[str, tuple[str, ...]] = {
    "input": ("input",), "output": ("output",), "reasoning": ("output",), "cacheRead": ("cache_read", "input"),
    "cacheCreation": ("cache_write", "input"),
}
"""What each ``type`` of tokens adds to: their input is without cached tokens, their output without reasoning."""


class OpenCode:
    name = "opencode"

    def __init__(self) -> None:
        self._steps = Steps(KIND, read, whose=_whose)

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``."""
        return _is_opencode(resource) or scope == "ai"

    def recognises(self, record: Any) -> bool:
        """See ``ports.Vocabulary``: whoever uses the AI SDK."""
        is_named_so = isinstance(record, SpanRecord) and record.name.startswith("ai.")
        return is_named_so and "ai.operationId" in record.attributes

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        yield from self._steps.map((record for record in records if isinstance(record, SpanRecord)), now)
        yield from tally(_points(records), SOURCE, LOG_RANK, opens=True)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._steps.accepted(events)


def read(span: SpanRecord) -> Step | None:
    """The step a span stands for; None for the hundreds that tell nothing."""
    if not span.name.startswith("ai."):
        return None
    told = span.attributes
    session = session_of(told)
    name = None if _is_opencode(span.resource) else text(told, "ai.telemetry.functionId")
    if span.name == _TOOL:
        return Step(
            kind=StepKind.TOOL, agent=name, session=session, tool=_tool(span), is_error=span.is_error,
            call_id=text(told, "ai.toolCall.id"),
            data=content(told, arguments="ai.toolCall.args", result="ai.toolCall.result"),
        )
    if span.name.endswith(_CALLS):
        data = content(told, prompt="ai.prompt.messages", response="ai.response.text")
        return Step(
            kind=StepKind.MODEL, agent=name, session=session, usage=_usage(told), is_error=span.is_error, data=data
        )
    if span.name in _RUNS:
        return Step(kind=StepKind.AGENT, agent=name, session=session, is_error=span.is_error)
    return None


def _is_opencode(resource: Mapping[str, Any]) -> bool:
    return resource.get("service.name") == KIND


def _whose(
    resource: Mapping[str, Any], attributes: Mapping[str, Any], kind: str, agent: str | None = None,
    session: str | None = None,
) -> Who:
    """opencode's agents are its sessions; those of other programs go by their own names."""
    if session is not None and _is_opencode(resource):
        return identify_session(KIND, KIND, session, resource, attributes)
    return identify(resource, attributes, KIND if _is_opencode(resource) else "ai-sdk", agent, session)


def _usage(told: Mapping[str, Any]) -> Usage | None:
    read_in = first(told, ("gen_ai.usage.input_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens"))
    written = first(told, ("gen_ai.usage.output_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens"))
    if read_in is None and written is None:
        return None
    return inclusive(
        Usage(
            model=model_of(told) or text(told, "ai.response.model", "ai.model.id") or "",
            input=read_in or 0,
            output=written or 0,
            cache_read=first(told, ("ai.usage.cachedInputTokens", "gen_ai.usage.cache_read.input_tokens")) or 0,
            provider=(provider_of(told) or text(told, "ai.model.provider") or "").partition(".")[0] or None,
        )
    )


def _tool(span: SpanRecord) -> Tool:
    told = span.attributes
    return Tool(
        name=text(told, "ai.toolCall.name") or "tool",
        args_hash=args_hash(told.get("ai.toolCall.args")),
        result_hash=args_hash(told.get("ai.toolCall.result")),
        ok=not span.is_error,
    )


def _points(records: Sequence[Any]) -> Iterator[Used]:
    for record in records:
        measures = _measures(record) if isinstance(record, MetricPoint) else ()
        session = session_of(record.attributes, record.resource)
        if measures and session is not None:
            who = identify_session(KIND, KIND, session, record.resource, record.attributes)
            yield Used(
                record, measures, who.agent_id, session, who.facts, text(record.attributes, "model") or "",
                text(record.attributes, "provider"),
            )


def _measures(point: MetricPoint) -> tuple[str, ...]:
    if point.kind != "sum" or not tell_usage(point):
        return ()
    if point.name == "opencode.cost.usage":
        return ("cost",)
    return _TOKENS.get(text(point.attributes, "type") or "", ()) if point.name == "opencode.token.usage" else ()

