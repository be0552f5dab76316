"""The body of ``POST /api/events`` as documentation: these types only make the OpenAPI document.

The hot path decodes it with ``items``; a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from clawatch_plugins.clawatch.wire import Wire

Tokens = Annotated[int, Meta(ge=0)]

EventWord = Literal[
    "heartbeat", "tool_call", "error", "cost", "status_change", "message", "metrics", "run", "entity"
]


class DataPosted(Wire):
    """All keys are optional; unknown ones are kept. ``run``, ``entity`` and ``metrics`` have keys of their own."""

    message: str | None = None
    token_count: Tokens | None = None
    cost_usd: Annotated[float, Meta(ge=0)] | None = None
    model: str | None = None
    tool_name: str | None = None
    error: str | None = None
    arguments: Any = None
    result: Any = None
    ok: bool | None = None
    blocked: bool | None = None
    duration_ms: Annotated[float, Meta(ge=0)] | None = None
    revenue_usd: Annotated[float, Meta(ge=0, description="What the agent has earned with this.")] | None = None
    input_tokens: Annotated[int, Meta(ge=0, description="All of them, cached ones included.")] | None = None
    output_tokens: Tokens | None = None
    cache_read_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    status: str | None = None
    progress: Annotated[
        bool | float, Meta(description="false: a sign of life that is no work. For a run: 0 to 1.")
    ] | None = None


class EventPosted(Wire):
    agent_id: str
    type: EventWord
    agent_name: str | None = None
    host: str | None = None
    timestamp: Annotated[str, Meta(description="ISO 8601; the time of receipt when absent")] | None = None
    data: DataPosted | None = None
    id: Annotated[str, Meta(description="unique per agent: the same id twice is one event")] | None = None
    session_id: str | None = None
    call_id: str | None = None
    phase: Literal["start", "end", "point"] | None = None
    kind: str | None = None
    group: str | None = None
    labels: dict[str, str] | None = None
    capabilities: list[str] | None = None
