"""Status words: ours and DevSkyy's. Whatever we know has a word there, and nothing else is ever said."""

from __future__ import annotations

from collections.abc import Iterable

from clawatch.domain.agents import Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.competitions import Stage
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.work import LEARNING

WORD_OF: dict[Status, str] = {
    Status.PENDING: "idle",
    Status.IDLE: "idle",
    Status.RUNNING: "running",
    Status.PAUSED: "idle",
    Status.STOPPED: "idle",
    Status.ERROR: "error",
    Status.STUCK: "error",
}
RUNNING, LEARNS, COMPLETED, ERROR = "running", "learning", "completed", "error"
"""Words that come from runs: ``completed`` is said once, when one has ended well."""
_AT_REST = frozenset({Status.PAUSED, Status.STOPPED})

TASK_WORDS: dict[RunStatus, str] = {
    RunStatus.PENDING: "pending",
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "failed",
}
STATUSES_OF: dict[str, tuple[RunStatus, ...]] = {
    word: tuple(status for status, its in TASK_WORDS.items() if its == word) for word in TASK_WORDS.values()
}
STAGES = frozenset(Stage)
PIPELINE = "3d_pipeline"
PIPELINE_STAGES = ("generating", "validating", "uploading", "completed", "failed")
ERROR_TYPES: dict[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}


def word_of(agent: Agent, held: Iterable[Run]) -> str:
    """How the agent stands. One that has been given work is at it, whatever it says between two steps."""
    word = WORD_OF[agent.status]
    if word == ERROR or agent.status in _AT_REST:
        return word
    kinds = {run.kind for run in held}
    if LEARNING in kinds:
        return LEARNS
    return RUNNING if kinds else word


def pipeline_stage(run: Run) -> str:
    match run.status:
        case RunStatus.COMPLETED:
            return "completed"
        case RunStatus.FAILED | RunStatus.CANCELLED:
            return "failed"
    return run.stage if run.stage in PIPELINE_STAGES[:3] else PIPELINE_STAGES[0]
