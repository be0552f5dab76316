"""Runs: bounded pieces of work, folded from ``run`` events."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.events import Event
from clawatch.domain.pages import Place
from clawatch.domain.time import Millis


class RunStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})


RunKey = tuple[str, str]
"""(agent id, run id): a run is its agent's own, and two agents may use the same id."""


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    agent_id: str
    created_at: Millis
    updated_at: Millis
    kind: str = "task"
    status: RunStatus = RunStatus.PENDING
    stage: str = ""
    progress: float = 0.0
    input: Any = None
    result: Any = None
    error: str | None = None
    parent: str | None = None

    @property
    def key(self) -> RunKey:
        return (self.agent_id, self.id)

    @property
    def place(self) -> Place:
        """Where it stands in a list. No agent's id has a line break, so no two runs have the same place."""
        return Place(self.created_at, f"{self.id}\n{self.agent_id}")


def fold_run(run: Run | None, event: Event) -> Run:
    """The run after a ``run`` event. A finished run keeps its status; progress never falls."""
    report = event.run
    assert report is not None
    if run is None:
        run = Run(id=report.run_id, agent_id=event.agent_id, created_at=event.at, updated_at=event.at)
    changes: dict[str, object] = {"updated_at": max(run.updated_at, event.at)}
    if report.status is not None and run.status not in TERMINAL:
        changes["status"] = RunStatus(report.status)
    if report.progress is not None:
        changes["progress"] = max(run.progress, report.progress)
    for theirs, ours in (("kind", "kind"), ("stage", "stage"), ("input", "input"), ("result", "result"),
                         ("error", "error"), ("parent_run_id", "parent")):
        value = getattr(report, theirs)
        if value is not None:
            changes[ours] = value
    return replace(run, **changes)
