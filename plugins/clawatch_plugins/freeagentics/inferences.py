"""A run's steps as messages about inferences."""

from __future__ import annotations

from typing import Any

from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis, iso
from clawatch_plugins.freeagentics.figures import Figures
from clawatch_plugins.freeagentics.loads import seconds_of
from clawatch_plugins.freeagentics.numbers import number_of
from clawatch_plugins.freeagentics.steps import Step
from clawatch_plugins.freeagentics.wire import (
    InferenceCompleted,
    InferenceFailed,
    InferenceProgress,
    InferenceStarted,
    Message,
    Summary,
)

MAX_TEXT = 2_000
"""Characters of what an agent wrote that go into one message."""
MAX_FINDINGS = 50
_QUERIES = ("query", "prompt", "task", "question")
"""Under which keys an input may say what was asked."""


def message_of(step: Step, run: Run, figures: Figures, at: Millis) -> Message:
    told_at = iso(at)
    return Message(step, told_at, _MAKERS[step](run, figures, told_at))


def _started(run: Run, figures: Figures, at: str) -> InferenceStarted:
    given = run.input if isinstance(run.input, dict) else {}
    query = run.input if isinstance(run.input, str) else next((given[key] for key in _QUERIES if key in given), None)
    estimate = number_of(given.get("estimated_duration", given.get("estimatedDuration")))
    return InferenceStarted(
        inference_id=run.id,
        agent_id=run.agent_id,
        query=_text(query),
        estimated_duration=figures.usual_duration(run.agent_id) if estimate is None else estimate,
        priority=_text(given.get("priority")),
        kind=run.kind,
        timestamp=at,
    )


def _progress(run: Run, figures: Figures, at: str) -> InferenceProgress:
    return InferenceProgress(
        inference_id=run.id,
        agent_id=run.agent_id,
        progress=run.progress,
        stage=run.stage or None,
        estimated_remaining=_remaining(run, figures.usual_duration(run.agent_id)),
        timestamp=at,
    )


def _remaining(run: Run, usual: float | None) -> float | None:
    """Seconds: by how far it has come in its time, else by how long this agent's runs take."""
    elapsed = seconds_of(run)
    if run.progress > 0 and elapsed > 0:
        return round(elapsed / run.progress - elapsed, 1)
    return None if usual is None else round(max(usual - elapsed, 0.0), 1)


def _completed(run: Run, figures: Figures, at: str) -> InferenceCompleted:
    return InferenceCompleted(
        inference_id=run.id,
        agent_id=run.agent_id,
        status="completed",
        processing_time=round(seconds_of(run), 3),
        result_summary=_summary(run.result),
        timestamp=at,
    )


def _summary(result: Any) -> Summary:
    if not isinstance(result, dict):
        return Summary(confidence=None, key_findings=[], text=_text(result))
    findings = result.get("key_findings", result.get("keyFindings"))
    kept = [_text(one) for one in findings[:MAX_FINDINGS]] if isinstance(findings, list) else []
    told = next((result[key] for key in ("summary", "text", "answer") if key in result), None)
    return Summary(confidence=number_of(result.get("confidence")), key_findings=kept, text=_text(told))


def _failed(run: Run, figures: Figures, at: str) -> InferenceFailed:
    return InferenceFailed(
        inference_id=run.id,
        agent_id=run.agent_id,
        error_code=_error_code(run),
        error_message=_text(run.error) or ("Cancelled" if run.status is RunStatus.CANCELLED else "Failed"),
        processing_time=round(seconds_of(run), 3),
        timestamp=at,
    )


def _error_code(run: Run) -> str:
    given = run.result.get("error_code", run.result.get("errorCode")) if isinstance(run.result, dict) else None
    if isinstance(given, str) and given:
        return given[:100]
    if run.status is RunStatus.CANCELLED:
        return "CANCELLED"
    said = (run.error or "").lower()
    return "TIMEOUT" if "timeout" in said or "timed out" in said else "INFERENCE_FAILED"


_MAKERS = {
    "inference_started": _started,
    "inference_progress": _progress,
    "inference_completed": _completed,
    "inference_failed": _failed,
}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
