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
    started_at: Millis = 0
    """When it was first running; 0: not yet."""
    ended_at: Millis = 0
    """When it came to its end; 0: it goes on."""
    by: str = ""
    """The user who asked for it here; empty: an agent's own."""
    for_kind: str = ""
    """The kind of agent it waits for, or waited for; empty where an agent was named."""
    reach: tuple[str, ...] = ("*",)
    """Patterns of the agents it may be given to: those of whoever asked."""
    command_id: str = ""
    """What its agent was asked with."""

    @property
    def key(self) -> RunKey:
        return (self.agent_id, self.id)

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def place(self) -> Place:
        """Where it stands in a list. No agent's id has a line break, so no two runs have the same place."""
        return Place(self.created_at, f"{self.id}\n{self.agent_id}")


class RunTotal(Struct, frozen=True):
    """How many runs of one agent, kind and status there are, and how long they took together."""

    agent_id: str
    kind: str
    status: RunStatus
    count: int
    duration: Millis = 0


_TOLD_OF_OURS = {"stage": "stage", "result": "result", "error": "error"}
_TOLD = {**_TOLD_OF_OURS, "kind": "kind", "input": "input", "parent_run_id": "parent"}
"""What a report says of a run, by the run's own names."""


def fold_run(run: Run | None, event: Event) -> Run:
    """The run after a ``run`` event. A finished run keeps its status; progress never falls.

    What was asked for here stays what it is: its agent cannot make something else of it.
    """
    report = event.run
    assert report is not None
    if run is None:
        run = Run(id=report.run_id, agent_id=event.agent_id, created_at=event.at, updated_at=event.at)
    changes: dict[str, object] = {"updated_at": max(run.updated_at, event.at)}
    if report.status is not None and run.status not in TERMINAL:
        changes["status"] = RunStatus(report.status)
    if report.progress is not None:
        changes["progress"] = max(run.progress, report.progress)
    told = _TOLD_OF_OURS if run.by else _TOLD
    for theirs, ours in told.items():
        value = getattr(report, theirs)
        if value is not None:
            changes[ours] = value
    return timed(run, replace(run, **changes), event.at)


def merged(known: Run | None, told: Run) -> Run:
    """The run after the daemon's own word of it, where its agent may have said more meanwhile.

    As in ``fold_run`` a finished run keeps its status, and progress never falls.
    """
    if known is None:
        return timed(None, told, told.updated_at)
    changes: dict[str, object] = {"progress": max(known.progress, told.progress)}
    for field in ("input", "result", "error"):
        if getattr(told, field) is None:
            changes[field] = getattr(known, field)
    if not known.is_open:
        changes |= {"status": known.status, "ended_at": known.ended_at, "error": known.error}
    return timed(known, replace(told, started_at=known.started_at or told.started_at, **changes), told.updated_at)


def timed(before: Run | None, run: Run, at: Millis) -> Run:
    """The run with the times of its beginning and end, where ``before`` had not come that far."""
    changes: dict[str, Millis] = {}
    if run.status is not RunStatus.PENDING and not run.started_at:
        changes["started_at"] = at
    if not run.is_open and (before is None or before.is_open):
        changes["ended_at"] = max(at, run.started_at)
    return replace(run, **changes) if changes else run
