"""What a span or a log record of the conventions stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawatch.apis.attributes import text
from clawatch.apis.genai import (
    AGENT_NAME,
    AGENT_RUNS,
    MODEL_CALLS,
    OPERATION,
    TOOL_CALLS,
    model_content,
    tool_content,
    tool_of,
    usage_of,
)
from clawatch.apis.identity import session_of
from clawatch.apis.steps import Step, StepKind
from clawatch.apis.telemetry import LogRecord, SpanRecord, plain

DETAILS = "gen_ai.client.inference.operation.details"
"""The one log event that tells a whole call; it comes beside the call's span, and the two are one report."""


def read(record: SpanRecord | LogRecord) -> Step | None:
    """The step; None for everything else."""
    told = plain(record.attributes)
    operation = text(told, OPERATION)
    if operation is None or (isinstance(record, LogRecord) and record.name != DETAILS):
        return None
    agent, session = text(told, AGENT_NAME), session_of(told)
    is_error = (isinstance(record, SpanRecord) and record.is_error) or text(told, "error.type") is not None
    if operation in MODEL_CALLS:
        data = _model_data(told)
        return Step(
            kind=StepKind.MODEL, agent=agent, session=session, usage=usage_of(told), is_error=is_error, data=data
        )
    if operation in TOOL_CALLS:
        tool = tool_of(told, not is_error)
        return Step(
            kind=StepKind.TOOL, agent=agent, session=session, tool=tool, is_error=is_error, data=tool_content(told)
        )
    if operation in AGENT_RUNS:
        return Step(kind=StepKind.AGENT, agent=agent, session=session, is_error=is_error)
    return None


def _model_data(told: Mapping[str, Any]) -> dict[str, Any]:
    model = text(told, "gen_ai.request.model")
    return {**({} if model is None else {"model": model}), **model_content(told)}
