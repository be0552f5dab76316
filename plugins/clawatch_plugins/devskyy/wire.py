"""What this door says and hears, as types. Unknown facts are null; instants are ISO 8601 in UTC with ``Z``."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

# -- frames of the WebSocket channels


class AgentStatusUpdate(Struct, kw_only=True, tag="agent_status_update", tag_field="type"):
    agent_id: str
    status: str
    data: dict[str, Any]
    timestamp: str


class TaskUpdate(Struct, kw_only=True, tag="task_update", tag_field="type"):
    task_id: str
    status: str
    progress: float
    """0 to 100."""
    data: dict[str, Any]
    timestamp: str


class CompetitionUpdate(Struct, kw_only=True, tag="competition_update", tag_field="type"):
    competition_id: str
    stage: str
    data: dict[str, Any]
    timestamp: str


class PipelineUpdate(Struct, kw_only=True, tag="pipeline_update", tag_field="type"):
    pipeline_id: str
    stage: str
    progress: float
    data: dict[str, Any]
    timestamp: str


class SystemMetrics(Struct, kw_only=True):
    timestamp: str
    cpu_percent: float
    memory_percent: float
    active_connections: int
    requests_per_second: float
    avg_latency_ms: float


class MetricsUpdate(Struct, kw_only=True, tag="metrics_update", tag_field="type"):
    metrics: SystemMetrics
    timestamp: str


class ErrorMessage(Struct, kw_only=True, tag="error", tag_field="type"):
    error_type: str
    message: str
    timestamp: str


class Keepalive(Struct, kw_only=True, tag="keepalive", tag_field="type"):
    timestamp: str


class Pong(Struct, kw_only=True, tag="pong", tag_field="type"):
    timestamp: str


Frame = (
    AgentStatusUpdate
    | TaskUpdate
    | CompetitionUpdate
    | PipelineUpdate
    | MetricsUpdate
    | ErrorMessage
    | Keepalive
    | Pong
)

# -- agents


class ToolView(Struct, kw_only=True):
    name: str
    description: str | None = None
    category: str | None = None
    parameters: tuple[dict[str, Any], ...] = ()


class StatsView(Struct, kw_only=True, rename="camel"):
    tasks_completed: int
    success_rate: float | None
    avg_latency_ms: float | None
    total_cost_usd: float
    learning_cycles: int


class AgentInfo(Struct, kw_only=True, rename="camel"):
    id: str
    type: str | None
    name: str
    description: str | None
    status: str
    capabilities: tuple[str, ...]
    tools: tuple[ToolView, ...]
    ml_models: tuple[str, ...]
    stats: StatsView


class Execute(Struct, kw_only=True):
    """The body of ``execute``."""

    task: str
    parameters: dict[str, Any] = {}
    use_round_table: bool = False


class Executed(Struct, kw_only=True):
    task_id: str
    agent_type: str
    status: str
    result: Any
    latency_ms: float
    """What it took to hand the task over."""
    technique_used: str | None


class Controlled(Struct, kw_only=True):
    success: bool
    status: str
    agents: dict[str, str]
    """How each of the type stands now."""


class Learning(Struct, kw_only=True, rename="camel"):
    success: bool
    status: str
    learning_cycles: int
    task_id: str


# -- tasks


class TaskWanted(Struct, kw_only=True):
    """The body of a new task; the keys may also be written in snake case."""

    agentType: str = ""  # noqa: N815 - both spellings are heard
    agent_type: str = ""
    prompt: str
    parameters: dict[str, Any] = {}
    useRoundTable: bool = False  # noqa: N815
    use_round_table: bool = False


class TaskMetrics(Struct, kw_only=True, rename="camel"):
    """Left out is what is not known, or not yet."""

    start_time: str
    end_time: str | UnsetType = UNSET
    duration_ms: float | UnsetType = UNSET
    tokens_used: int | UnsetType = UNSET
    cost_usd: float | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    prompt_technique: str | UnsetType = UNSET


class TaskView(Struct, kw_only=True, rename="camel"):
    task_id: str
    agent_type: str | None
    prompt: str
    status: str
    result: Any
    error: str | None
    created_at: str
    metrics: TaskMetrics
    agent_id: str | None
    """Who has it; null while it waits."""
    progress: float


class Cancelled(Struct, kw_only=True):
    success: bool
    message: str


# -- round table


class Compete(Struct, kw_only=True):
    """The body of a new competition."""

    prompt: str
    task_id: str | None = None
    providers: list[str] | None = None


class EntryView(Struct, kw_only=True):
    provider: str
    rank: int
    scores: Any
    latency_ms: float | None
    cost_usd: float | None
    response_preview: str
    response: str


class FailedEntry(Struct, kw_only=True):
    provider: str
    error: str


class CompetitionView(Struct, kw_only=True):
    id: str
    task_id: str
    """Empty where none was named."""
    prompt: str
    prompt_preview: str
    status: str
    stage: str
    winner: EntryView | None
    entries: tuple[EntryView, ...]
    """Those that were ranked, the winner first."""
    failed_entries: tuple[FailedEntry, ...]
    ab_test_reasoning: str | None
    ab_test_confidence: float | None
    total_duration_ms: float | None
    total_cost_usd: float | None
    created_at: str
    error: str | None


class HistoryEntry(Struct, kw_only=True):
    id: str
    prompt_preview: str
    status: str
    winner_provider: str | None
    winner_score: float | None
    total_cost_usd: float | None
    created_at: str


class ProviderStats(Struct, kw_only=True):
    provider: str
    total_competitions: int
    wins: int
    win_rate: float | None
    avg_score: float | None
    avg_latency_ms: float | None
    total_cost_usd: float | None


class ProviderView(Struct, kw_only=True):
    name: str
    display_name: str
    enabled: bool
    """Whether it would compete now."""
    avg_latency_ms: float | None
    win_rate: float | None
    total_competitions: int


# -- monitoring


class DataPoint(Struct, kw_only=True):
    timestamp: str
    value: float
    labels: dict[str, str]


class MetricView(Struct, kw_only=True):
    metric_name: str
    unit: str
    data_points: tuple[DataPoint, ...]
    aggregation: str


class Summary(Struct, kw_only=True):
    overall_health: str
    total_requests: int
    """Since the daemon started, as is the share of those it failed to answer."""
    error_rate: float
    active_agents: int


class ChannelView(Struct, kw_only=True):
    active_connections: int
    total_connections: int
    messages_sent: int
    messages_received: int
    messages_per_second: float
    """In both directions, over the last seconds."""
    errors: int
    """What was refused: messages, logins, connections."""
    error_rate: float
    """Of what came in, messages and connections."""
    avg_connection_seconds: float | None


class WebSocketView(Struct, kw_only=True):
    active_connections: int
    channels: dict[str, ChannelView]


class Monitoring(Struct, kw_only=True):
    timestamp: str
    time_range: str
    metrics: tuple[MetricView, ...]
    summary: Summary
    websocket: WebSocketView


class Refusal(Struct, kw_only=True, omit_defaults=True):
    detail: str
    code: str = ""
