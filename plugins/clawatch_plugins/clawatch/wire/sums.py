"""Costs and latencies, summed and over time."""

from __future__ import annotations

from clawatch_plugins.clawatch.wire.base import Wire


class AgentCost(Wire):
    agent_id: str
    name: str
    cost_usd: float
    token_count: int
    unpriced_tokens: int


class ModelCost(Wire):
    model: str
    cost_usd: float
    token_count: int
    unpriced_tokens: int


class CostReport(Wire):
    total_usd: float
    token_count: int
    unpriced_tokens: int
    by_agent: tuple[AgentCost, ...]
    by_model: tuple[ModelCost, ...]
    resolution: str
    """The grain at which the bounds were honoured: exact, minute or hour."""


class CostPoint(Wire):
    timestamp: str
    group: str
    cost_usd: float
    token_count: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    unpriced_tokens: int
    events: int
    errors: int
    tool_calls: int


class CostSeries(Wire):
    by: str
    from_: str
    to: str
    step_seconds: int
    points: tuple[CostPoint, ...]


class LatencyAt(Wire):
    """Milliseconds, within 1 %; steps in which nothing was timed are left out."""

    timestamp: str
    p50: float
    p95: float
    p99: float
    count: int


class LatencySeries(Wire):
    points: tuple[LatencyAt, ...]
    step: int
    """Seconds."""
