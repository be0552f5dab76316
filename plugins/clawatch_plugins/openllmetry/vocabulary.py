"""The vocabulary of OpenLLMetry (https://github.com/traceloop/openllmetry).

Newer versions write ``gen_ai.*`` as the semantic conventions have it, older ones ``llm.*``; what a span is, is told by
``traceloop.span.kind``, ``llm.request.type`` or the operation. ``gen_ai.agent.id`` is an id of the run, no identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.attributes import count, text
from clawatch.apis.contents import args_hash, content
from clawatch.apis.genai import (
    AGENT_NAME,
    AGENT_RUNS,
    MODEL_CALLS,
    OPERATION,
    TOOL_CALLS,
    inclusive,
    model_content,
    model_of,
    provider_of,
    tool_of,
    usage_of,
)
from clawatch.apis.identity import session_of
from clawatch.apis.steps import Step, StepKind, Steps
from clawatch.apis.telemetry import SpanRecord, plain
from clawatch.domain.events import Event, Tool, Usage
from clawatch.domain.time import Millis

KIND = "openllmetry"
_ASSOCIATED = "traceloop.association.properties."
_SCOPES = frozenset(f"opentelemetry.instrumentation.{name}" for name in (
    "agno", "alephalpha", "anthropic", "bedrock", "cohere", "crewai", "google_generativeai", "groq", "haystack",
    "langchain", "llamaindex", "mcp", "mistralai", "ollama", "openai", "openai.v0", "openai.v1", "openai_agents",
    "replicate", "sagemaker", "together", "transformers", "watsonx", "writer",
))  # fmt: skip
_MARKS = ("traceloop.", "llm.request.type", "llm.usage.")
_REQUESTS = frozenset({"chat", "completion", "embedding", "rerank"})
_KINDS = {"tool": StepKind.TOOL, "agent": StepKind.AGENT}


class OpenLlmetry:
    name = "openllmetry"

    def __init__(self) -> None:
        self._steps = Steps(KIND, read)

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``. Some scopes are of one module of a package: ``….openai.shared``."""
        return scope in _SCOPES or scope.rpartition(".")[0] in _SCOPES or scope.startswith("traceloop")

    def recognises(self, record: Any) -> bool:
        """See ``ports.Vocabulary``: whoever writes these attributes."""
        return isinstance(record, SpanRecord) and any(key.startswith(_MARKS) for key in record.attributes)

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        return self._steps.map((record for record in records if isinstance(record, SpanRecord)), now)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._steps.accepted(events)


def read(span: SpanRecord) -> Step | None:
    """The step a span stands for; None for workflows and tasks."""
    told = plain(span.attributes)
    kind = _kind(told)
    if kind is None:
        return None
    is_error = span.is_error or text(told, "error.type") is not None or told.get("gen_ai.task.status") == "failure"
    return Step(
        kind=kind,
        agent=_agent(told, kind),
        session=session_of(told) or text(told, f"{_ASSOCIATED}session_id", f"{_ASSOCIATED}thread_id"),
        usage=_usage(told) if kind is StepKind.MODEL else None,
        tool=_tool(told, not is_error) if kind is StepKind.TOOL else None,
        is_error=is_error,
        data=_data(told, kind),
    )


def _kind(told: Mapping[str, Any]) -> StepKind | None:
    operation = text(told, OPERATION)
    if operation in MODEL_CALLS or text(told, "llm.request.type") in _REQUESTS:
        return StepKind.MODEL
    if operation in TOOL_CALLS:
        return StepKind.TOOL
    if operation in AGENT_RUNS:
        return StepKind.AGENT
    return _KINDS.get(text(told, "traceloop.span.kind") or "")


def _agent(told: Mapping[str, Any], kind: StepKind) -> str | None:
    name = text(told, AGENT_NAME, f"{_ASSOCIATED}lc_agent_name")
    return name or (text(told, "traceloop.entity.name") if kind is StepKind.AGENT else None)


def _usage(told: Mapping[str, Any]) -> Usage | None:
    found = usage_of(told)
    if found is not None:
        return found
    prompt, completion = count(told, "llm.usage.prompt_tokens"), count(told, "llm.usage.completion_tokens")
    total = count(told, "llm.usage.total_tokens")
    if prompt is None and completion is None and total is None:
        return None
    model = model_of(told) or text(told, "llm.response.model", "llm.request.model") or ""
    is_sum = prompt is None and completion is None
    return inclusive(
        Usage(
            model=model, input=prompt or 0, output=completion or 0, tokens=total if is_sum else None,
            provider=provider_of(told) or text(told, "llm.vendor"),
        )
    )


def _tool(told: Mapping[str, Any], ok: bool) -> Tool:
    tool = tool_of(told, ok, text(told, "traceloop.entity.name") or "")
    if tool.args_hash is not None:
        return tool
    return Tool(
        name=tool.name,
        args_hash=args_hash(told.get("traceloop.entity.input")),
        result_hash=args_hash(told.get("traceloop.entity.output")),
        ok=ok,
    )


def _data(told: Mapping[str, Any], kind: StepKind) -> dict[str, Any]:
    if kind is StepKind.TOOL:
        return content(told, arguments="traceloop.entity.input", result="traceloop.entity.output")
    return model_content(told)
