"""Claude Code's spans: what its logs say, told once more at the end of each piece of work.

``claude_code.interaction`` repeats totals and is not counted; a failed request has no prompt id to match it
with the same error in the logs, so errors are left to those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clawatch.apis.attributes import flag, number, text
from clawatch.apis.telemetry import SpanRecord
from clawatch.domain.events import Event, EventType, Phase, Signal, Tool
from clawatch_plugins.claude_code.identity import OTLP_SOURCE, Who
from clawatch_plugins.claude_code.usage import usage_of

RANK = 2
_REQUEST = "claude_code.llm_request"
_TOOL = "claude_code.tool"
_EXECUTION = "claude_code.tool.execution"


def outcomes(spans: Iterable[SpanRecord]) -> dict[str, bool]:
    """Whether a call worked, by its id; told by the span inside the call's."""
    found: dict[str, bool] = {}
    for span in spans:
        call, ok = text(span.attributes, "tool_use_id"), flag(span.attributes, "success")
        if span.name == _EXECUTION and call is not None and ok is not None:
            found[call] = ok
    return found


def map_span(span: SpanRecord, who: Who, worked: Mapping[str, bool]) -> Event | None:
    """The event a span stands for; None for a mere sign of life."""
    if span.name == _REQUEST:
        return _request(span, who)
    if span.name == _TOOL:
        return _tool(span, who, worked)
    return None


def _request(span: SpanRecord, who: Who) -> Event | None:
    usage = usage_of(span.attributes)
    if usage is None:
        return None
    return Event(
        agent_id=who.agent_id,
        type=EventType.COST,
        at=span.at,
        id=f"span:{span.trace_id}:{span.span_id}",  # not the request's id: the log's exact cost must come in beside it
        session_id=who.session_id,
        signal=Signal.SPAN,
        rank=RANK,
        source=OTLP_SOURCE,
        facts=who.facts,
        usage=usage,
        latency_ms=number(span.attributes, "duration_ms"),
        is_hidden=True,
    )


def _tool(span: SpanRecord, who: Who, worked: Mapping[str, bool]) -> Event | None:
    call = text(span.attributes, "tool_use_id", "gen_ai.tool.call.id")
    if call is None:
        return None
    return Event(
        agent_id=who.agent_id,
        type=EventType.TOOL_CALL,
        at=span.at,
        session_id=who.session_id,
        call_id=call,
        phase=Phase.END,
        signal=Signal.SPAN,
        source=OTLP_SOURCE,
        facts=who.facts,
        tool=Tool(name=text(span.attributes, "tool_name", "gen_ai.tool.name") or "tool", ok=worked.get(call)),
        latency_ms=number(span.attributes, "duration_ms"),
    )
