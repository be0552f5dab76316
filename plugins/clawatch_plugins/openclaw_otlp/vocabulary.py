"""The vocabulary of OpenClaw's plugin diagnostics-otel.

It tells no session, run or call. Money comes with its metrics only, and spans may be sampled, so metrics count before
spans. What is told of an agent's usage goes to one session that stands for all of it: who reads OpenClaw's own files
claims it (``clawatch.apis.claims``), so that nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawatch.apis.attributes import count, text
from clawatch.apis.claims import METRICS_SESSION
from clawatch.apis.genai import inclusive
from clawatch.apis.identity import Who, given_id, identify, service_of
from clawatch.apis.steps import SOURCE, Step, StepKind, Steps, Told
from clawatch.apis.tally import Used, tally, tell_usage
from clawatch.apis.telemetry import METRIC_RANK, SPAN_RANK, MetricPoint, SpanRecord
from clawatch.domain.events import Event, Facts, Tool, Usage
from clawatch.domain.naming import agent_key
from clawatch.domain.time import Millis

KIND = "openclaw"
SCOPE = "openclaw"
GATEWAY = "gateway"
"""The agent of what is told of no agent in particular."""
_TOKENS: dict[str, tuple[str, ...]] = {
    "input": ("input",), "output": ("output",), "cache_read": ("cache_read", "input"),
    "cache_write": ("cache_write", "input"),
}
"""By ``openclaw.token``; ``prompt`` and ``total`` repeat these."""
_UNKNOWN = "unknown"


class OpenClawOtlp:
    name = "openclaw_otlp"

    def __init__(self) -> None:
        self._steps = Steps(KIND, read, SPAN_RANK, _whose)

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``. The service's name can be set by its user, the scope cannot."""
        return scope == SCOPE or service_of(resource).startswith(SCOPE)

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        yield from self._steps.map((record for record in records if isinstance(record, SpanRecord)), now)
        points = (record for record in records if isinstance(record, MetricPoint))
        yield from tally(_points(points), SOURCE, SPAN_RANK + METRIC_RANK, opens=True)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        self._steps.accepted(events)


def read(span: Told) -> Step | None:
    """The step a span stands for."""
    if not isinstance(span, SpanRecord):
        return None
    told = span.attributes
    match span.name:
        case "openclaw.model.usage":
            return Step(kind=StepKind.MODEL, agent=_agent(told), session=METRICS_SESSION, usage=_usage(told))
        case "openclaw.model.call":
            if not _failed(span):
                return None
            return Step(kind=StepKind.MODEL, agent=_agent(told), is_error=True, data=_evidence(told))
        case "openclaw.tool.execution":
            return Step(
                kind=StepKind.TOOL, agent=_agent(told), tool=_tool(span), is_error=_failed(span), data=_evidence(told)
            )
        case "openclaw.run":
            is_error = told.get("openclaw.outcome") == "error" or _failed(span)
            return Step(kind=StepKind.AGENT, agent=_agent(told), is_error=is_error, data=_evidence(told))
        case "openclaw.session.stuck":
            return Step(kind=StepKind.MODEL, agent=_agent(told), is_error=True, data=_evidence(told))
    return None


def _agent(told: Mapping[str, Any]) -> str | None:
    name = text(told, "openclaw.agent")
    return None if name == _UNKNOWN else name


def _failed(span: SpanRecord) -> bool:
    return span.is_error or text(span.attributes, "openclaw.errorCategory", "error.type") is not None


def _usage(told: Mapping[str, Any]) -> Usage:
    amounts = {name: count(told, f"openclaw.tokens.{name}") or 0 for name in _TOKENS}
    cached = amounts["cache_read"] + amounts["cache_write"]
    model, provider = text(told, "openclaw.model", "gen_ai.request.model"), text(told, "openclaw.provider")
    return inclusive(
        Usage(
            model="" if model in (None, _UNKNOWN) else str(model),
            provider=None if provider == _UNKNOWN else provider,
            input=amounts["input"] + cached,
            output=amounts["output"],
            cache_read=amounts["cache_read"],
            cache_write=amounts["cache_write"],
        )
    )


def _tool(span: SpanRecord) -> Tool:
    told = span.attributes
    return Tool(
        name=text(told, "gen_ai.tool.name", "openclaw.toolName") or "tool",
        args_size=count(told, "openclaw.tool.params.length"),
        ok=not _failed(span),
        is_blocked=told.get("openclaw.outcome") == "blocked" or "openclaw.deniedReason" in told,
    )


def _evidence(told: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("channel", "outcome", "errorCategory", "failureKind", "deniedReason", "state")
    found = {key: text(told, f"openclaw.{key}") for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _whose(
    resource: Mapping[str, Any], attributes: Mapping[str, Any], kind: str, agent: str | None = None,
    session: str | None = None,
) -> Who:
    """OpenClaw's agents go by the ids that its own files give them."""
    if given_id(resource, attributes) is not None:
        return identify(resource, attributes, kind, agent, session)
    facts = Facts(
        name=agent or f"OpenClaw {GATEWAY}", host=text(resource, "host.name"), kind=KIND, group=service_of(resource)
    )
    return Who(agent_key(KIND, agent or GATEWAY), facts, agent is not None)


def _points(points: Iterator[MetricPoint]) -> Iterator[Used]:
    for point in points:
        measures = _measures(point)
        if measures:
            told = point.attributes
            who = _whose(point.resource, told, KIND, _agent(told))
            model = text(told, "openclaw.model") or ""
            yield Used(
                point, measures, who.agent_id, METRICS_SESSION, who.facts,
                "" if model == _UNKNOWN else model, text(told, "openclaw.provider"),
            )


def _measures(point: MetricPoint) -> tuple[str, ...]:
    """The operator may put a prefix before the names (``diagnostics.otel.metricNamePrefix``)."""
    if point.kind != "sum" or not tell_usage(point):
        return ()
    if point.name.endswith("openclaw.cost.usd"):
        return ("cost",)
    kind = text(point.attributes, "openclaw.token") or ""
    return _TOKENS.get(kind, ()) if point.name.endswith("openclaw.tokens") else ()
