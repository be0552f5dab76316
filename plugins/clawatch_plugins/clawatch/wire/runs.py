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


class RunList(Wire):
    runs: tuple[RunView, ...]
    next: str | None
