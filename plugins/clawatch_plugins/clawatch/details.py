"""The data of ``run``, ``entity`` and ``metrics`` events: checked, and a run's read."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
from msgspec import Struct

from clawatch.domain.events import RunReport
from clawatch.domain.runs import RunStatus
from clawatch_plugins.clawatch.words import listed

MAX_ID = 200
RUN_LIMIT = 256 * 1024
"""Bytes of a run's input or result."""
_STATUSES = frozenset(status.value for status in RunStatus)
_NAMES = frozenset({"message", "model", "toolName", "error", "unit"})
"""Words that may stand among the numbers of ``metrics``."""


class RunTold(Struct, rename="camel"):
    run_id: str | None = None
    kind: str | None = None
    status: str | None = None
    stage: str | None = None
    progress: float | None = None
    input: Any = None
    result: Any = None
    error: str | None = None
    parent_run_id: str | None = None


class EntityTold(Struct, rename="camel"):
    op: Literal["created", "updated", "deleted"]
    entity_id: str | None = None
    entity_type: str | None = None
    label: str | None = None
    properties: dict[str, Any] | None = None
    relationship_id: str | None = None
    source_id: str | None = None
    target_id: str | None = None
    relationship_type: str | None = None
    strength: float | None = None


def read_run(data: dict[str, Any]) -> RunReport:
    """Raises ValueError with words for its sender; so do the others here."""
    told = msgspec.convert(data, RunTold)
    if not told.run_id:
        raise ValueError("data.runId: is required for a run")
    for name, value in (("runId", told.run_id), ("parentRunId", told.parent_run_id), ("kind", told.kind),
                        ("stage", told.stage)):
        if value is not None and len(value) > MAX_ID:
            raise ValueError(f"data.{name}: {len(value)} characters, at most {MAX_ID} are allowed")
    if told.status is not None and told.status not in _STATUSES:
        raise ValueError(f"data.status: is not known for a run; use {listed(RunStatus)}")
    if told.progress is not None and not 0 <= told.progress <= 1:
        raise ValueError("data.progress: must be a number from 0 to 1")
    for name, value in (("input", told.input), ("result", told.result)):
        if len(msgspec.json.encode(value)) > RUN_LIMIT:
            raise ValueError(f"data.{name}: larger than {RUN_LIMIT} bytes")
    return RunReport(
        run_id=told.run_id,
        kind=told.kind,
        status=told.status,
        stage=told.stage,
        progress=told.progress,
        input=told.input,
        result=told.result,
        error=told.error,
        parent_run_id=told.parent_run_id,
    )


def check_entity(data: dict[str, Any]) -> None:
    told = msgspec.convert(data, EntityTold)
    if not told.entity_id and not told.relationship_id:
        raise ValueError("data: an entity needs entityId, a relationship relationshipId")
    if told.relationship_id and told.op == "created" and not (
        told.source_id and told.target_id and told.relationship_type
    ):
        raise ValueError("data: a new relationship needs sourceId, targetId and relationshipType")


def check_metrics(data: dict[str, Any]) -> None:
    for key, value in data.items():
        if key in _NAMES and isinstance(value, str):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"data.{key[:60]}: a metric must be a finite number")


def numbers_of(data: dict[str, Any]) -> dict[str, float]:
    """What the data of ``metrics``, once checked, has measured."""
    return {key: float(value) for key, value in data.items() if not isinstance(value, str)}
