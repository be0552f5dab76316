"""The vocabulary of OpenInference (https://github.com/Arize-ai/openinference/tree/main/spec).

Only spans of the kind LLM tell usage: smolagents repeats the sum on its AGENT spans. ``prompt`` includes cached
tokens, ``completion`` those of reasoning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from clawatch.apis.attributes import count, dollars, text
from clawatch.apis.contents import args_hash, content
from clawatch.apis.genai import inclusive
from clawatch.apis.identity import session_of
from clawatch.apis.steps import Step, StepKind, Steps
from clawatch.apis.telemetry import SpanRecord, plain
from clawatch.domain.events import Event, Tool, Usage
from clawatch.domain.time import Millis

KIND = "openinference"
_SCOPE = "openinference."
_SPAN_KIND = "openinference.span.kind"


class OpenInference:
    name = "openinference"

    def __init__(self) -> None:
        self._steps = Steps(KIND, read)

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``."""
        return scope.startswith(_SCOPE)

    def recognises(self, record: Any) -> bool:
        """See ``ports.Vocabulary``: whoever writes these attributes."""
        return isinstance(record, SpanRecord) and _SPAN_KIND in record.attributes

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        return self._steps.map((record for record in records if isinstance(record, SpanRecord)), now)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._steps.accepted(events)


def read(span: SpanRecord) -> Step | None:
    """The step a span stands for; None for chains, retrievers and the like."""
    told = plain(span.attributes)
    kind = _KINDS.get((text(told, _SPAN_KIND) or "").upper())
    if kind is None:
        return None
    return Step(
        kind=kind,
        agent=_agent(span, kind),
        session=session_of(told),
        usage=_usage(told) if kind is StepKind.MODEL else None,
        tool=_tool(span) if kind is StepKind.TOOL else None,
        is_error=span.is_error,
        data=_data(told, kind),
    )


_KINDS = {
    "LLM": StepKind.MODEL, "EMBEDDING": StepKind.MODEL, "TOOL": StepKind.TOOL, "AGENT": StepKind.AGENT,
}


def _agent(span: SpanRecord, kind: StepKind) -> str | None:
    """An agent's span is named after it (smolagents adds ``.run``); LangChain names it in every span's metadata."""
    told = span.attributes
    name = text(told, "agent.name")
    if name is None and "metadata" in told:
        name = _in_metadata(told["metadata"])
    return name or (span.name.removesuffix(".run") or None if kind is StepKind.AGENT else None)


def _in_metadata(metadata: Any) -> str | None:
    if not isinstance(metadata, str) or "lc_agent_name" not in metadata:
        return None
    try:
        told = msgspec.json.decode(metadata)
    except (ValueError, RecursionError):
        return None
    return text(told, "lc_agent_name") if isinstance(told, dict) else None


def _usage(told: Mapping[str, Any]) -> Usage | None:
    prompt, completion = count(told, "llm.token_count.prompt"), count(told, "llm.token_count.completion")
    total = count(told, "llm.token_count.total")
    if prompt is None and completion is None and total is None:
        return None
    return inclusive(
        Usage(
            model=text(told, "llm.model_name", "embedding.model_name") or "",
            cost=dollars(told.get("llm.cost.total")),
            input=prompt or 0,
            output=completion or 0,
            cache_read=count(told, "llm.token_count.prompt_details.cache_read") or 0,
            cache_write=count(told, "llm.token_count.prompt_details.cache_write") or 0,
            tokens=total if prompt is None and completion is None else None,
            provider=text(told, "llm.provider", "llm.system"),
        )
    )


def _tool(span: SpanRecord) -> Tool:
    return Tool(
        name=text(span.attributes, "tool.name") or span.name or "tool",
        args_hash=args_hash(span.attributes.get("input.value")),
        result_hash=args_hash(span.attributes.get("output.value")),
        ok=not span.is_error,
    )


def _data(told: Mapping[str, Any], kind: StepKind) -> dict[str, Any]:
    if kind is StepKind.TOOL:
        return content(told, arguments="input.value", result="output.value")
    model = text(told, "llm.model_name")
    data: dict[str, Any] = {} if model is None else {"model": model}
    return {**data, **content(told, prompt="input.value", response="output.value")}
