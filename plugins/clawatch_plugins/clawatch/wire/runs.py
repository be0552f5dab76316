"""Runs: bounded pieces of work."""

from __future__ import annotations

from typing import Any

from clawatch_plugins.clawatch.wire.base import Wire


class RunView(Wire):
    id: str
    agent_id: str
    kind: str
    status: str
    stage: str
    progress: float
    input: Any
    result: Any
    error: str | None
    parent_run_id: str | None
    created_at: str
    updated_at: str
    started_at: str | None
    """When it was first running."""
    ended_at: str | None
    requested_by: str
    """The user who asked for it here; empty: an agent's own."""


class RunList(Wire):
    runs: tuple[RunView, ...]
    next: str | None
