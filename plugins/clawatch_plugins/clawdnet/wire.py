"""Frames and answers as ClawdNet's clients know them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class AuthSuccess(Struct, tag_field="type", tag="auth_success"):
    user_id: str
    agents: tuple[str, ...]


class Pong(Struct, tag_field="type", tag="pong"):
    timestamp: str


class Frame(Struct):
    """What is said of an agent: ``metrics``, ``skills`` and ``error`` carry data."""

    type: Literal["metrics", "skills", "error"]
    agent_id: str
    timestamp: str
    data: dict[str, Any]


class StatusFrame(Struct, tag_field="type", tag="status"):
    agent_id: str
    status: str
    timestamp: str


class Complaint(Struct):
    error_type: str
    message: str


class Refusal(Struct, tag_field="type", tag="error"):
    """An error of the protocol. It has no ``agent_id``, which tells it from one that a bot reports."""

    timestamp: str
    data: Complaint


class Error(Struct):
    code: str
    message: str
    details: Any


class Envelope(Struct):
    """Every refusal of the metrics API."""

    error: Error


class Count(Struct):
    timestamp: str
    value: int


class Mean(Struct):
    timestamp: str
    value: float


class Amount(Struct):
    timestamp: str
    value: str
    """A decimal number of dollars, exact."""


class Percentiles(Struct):
    timestamp: str
    p50: float
    p95: float
    p99: float


class MetricsSummary(Struct):
    total_messages: int
    avg_latency_ms: float
    error_rate: float
    """0 to 1."""
    total_revenue: str
    """As ``Amount.value``."""


class Data(Struct):
    """Only the metrics asked for."""

    messages: tuple[Count, ...] | UnsetType = UNSET
    latency: tuple[Percentiles, ...] | UnsetType = UNSET
    errors: tuple[Count, ...] | UnsetType = UNSET
    revenue: tuple[Amount, ...] | UnsetType = UNSET
    sessions: tuple[Mean, ...] | UnsetType = UNSET
    memory: tuple[Mean, ...] | UnsetType = UNSET
    cpu: tuple[Mean, ...] | UnsetType = UNSET


class Report(Struct):
    agent_id: str
    period: str
    resolution: str
    data: Data
    summary: MetricsSummary
