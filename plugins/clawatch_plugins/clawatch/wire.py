"""What this door says, as types: the contract's fields first, then what it is a superset by.

Instants are ISO 8601 in UTC with ``Z``, money is US dollars, and no number is ever null.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Wire(Struct, kw_only=True, rename="camel"):
    """Base of everything here."""


class CommandBrief(Wire):
    id: str
    type: str
    state: str
    since: str
    words: str
    """The state for people: ``asked to pause``."""


class ControlView(Wire):
    kind: str
    described: str
    wanted: str
    command: CommandBrief | None


class AgentView(Wire):
    id: str
    name: str
    host: str
    status: str
    last_heartbeat: str
    created_at: str
    cost_usd: float
    token_count: int
    error_count: int
    kind: str
    group: str
    labels: dict[str, str]
    capabilities: tuple[str, ...]
    owner: str
    activity: str
    last_seen: str | None
    last_progress: str | None
    turn: str
    doing: str
    tool_calls: int
    unpriced_tokens: int
    control: ControlView


class EventView(Wire):
    seq: int
    id: str | None
    agent_id: str
    session_id: str | None
    call_id: str | None
    phase: str
    signal: str
    origin: str
    source: str
    type: str
    timestamp: str
    received_at: str
    data: dict[str, Any]


class AgentDetail(AgentView):
    recent_events: tuple[EventView, ...]


class Total(Wire):
    total: int


class AgentList(Wire):
    agents: tuple[AgentView, ...]
    pagination: Total
    """Asked for by a client of a neighbouring system; harmless to others."""


class AgentGone(Wire):
    """Stands in the live stream for an agent that was removed."""

    id: str
    deleted: bool = True


class EventList(Wire):
    events: tuple[EventView, ...]
    next: str | None
    """``cursor`` of the next page; null at the end."""


class Rejected(Wire):
    index: int
    error: str


class CommandToDo(Wire):
    id: str
    type: str
    parameters: dict[str, Any]
    requested_by: str
    requested_at: str
    expires_at: str | None


class Taken(Wire):
    ok: bool
    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]
    commands: tuple[CommandToDo, ...]


class NothingTaken(Wire):
    error: str
    ok: bool
    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]


class CommandView(Wire):
    id: str
    agent_id: str
    type: str
    state: str
    since: str
    words: str
    control_kind: str
    parameters: dict[str, Any]
    requested_by: str
    requested_at: str
    delivered_at: str | None
    expires_at: str | None
    message: str
    data: Any
    alert_id: str | None


class CommandsToDo(Wire):
    commands: tuple[CommandToDo, ...]


class CommandList(Wire):
    commands: tuple[CommandView, ...]
    next: str | None


class CommandResult(Wire):
    """The body of a command's result."""

    state: str
    message: str = ""
    data: Any = None


class AlertView(Wire):
    id: str
    agent_id: str
    type: str
    severity: str
    message: str
    timestamp: str
    acknowledged: bool
    state: str
    rule: str
    subject: str
    started_at: str
    fired_at: str | None
    resolved_at: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    silenced_until: str | None
    brake: str | None
    evidence: dict[str, Any] | UnsetType = UNSET
    """Left out in lists."""


class AlertList(Wire):
    alerts: tuple[AlertView, ...]
    next: str | None


class AlertDone(Wire):
    ok: bool
    alert: AlertView


class SilenceView(Wire):
    id: str
    agent: str
    rule: str
    severity: str
    alert_id: str | None
    reason: str
    by: str
    created_at: str
    expires_at: str


class SilenceList(Wire):
    silences: tuple[SilenceView, ...]


class SilenceAlert(Wire):
    """The body of an alert's silence."""

    duration: str = "1h"
    reason: str = ""


class SilenceWanted(Wire):
    """The body of a new silence; empty fields match everything, ``agent`` is a pattern."""

    duration: str
    reason: str = ""
    agent: str = "*"
    rule: str = ""
    severity: str = ""
    alert_id: str | None = None


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


class KeyView(Wire):
    name: str
    scopes: tuple[str, ...]
    agents: tuple[str, ...]
    user: str
    created_at: str | None
    expires_at: str | None
    fixed: bool
    """Comes from the configuration."""


class KeyList(Wire):
    keys: tuple[KeyView, ...]


class KeyWanted(Wire):
    """The body of a new key."""

    name: str
    scopes: list[str]
    agents: list[str] | None = None
    user: str = ""
    expires: str | None = None
    """A duration: ``30d``."""


class KeyMade(Wire):
    name: str
    key: str
    """Shown this once."""


class StoreView(Wire):
    ok: bool
    detail: str
    size_bytes: int


class PartView(Wire):
    section: str
    name: str
    state: str
    detail: str


class SystemView(Wire):
    status: str
    version: str
    started_at: str
    timestamp: str
    store: StoreView
    outbox: int
    journal_head: int
    rules_behind: int
    cursor: str
    agents: int
    parts: tuple[PartView, ...]


class Done(Wire):
    ok: bool = True


class Refusal(Wire):
    error: str


class Message(Wire):
    """A message of the live stream: ``data`` is the object as REST gives it.

    ``type`` is agent, event, alert, command or run. ``cursor``: subscribe with it to go on behind this message.
    """

    type: str
    cursor: str
    timestamp: str
    data: Any


class Signpost(Wire):
    """``subscribed``, or ``reset``: the cursor is not known here, fetch everything anew."""

    type: str
    cursor: str
    timestamp: str


class Pong(Wire):
    type: str
    timestamp: str


class Subscribe(Wire):
    """What a client says to choose. Empty lists ask for everything; ``agents`` are patterns."""

    agents: list[str] = []
    topics: list[str] = []
    types: list[str] = []
    cursor: str | None = None
