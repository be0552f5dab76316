"""What goes over the wire to clients: one shape around everything, and the data of each type of message.

What nobody knows is null. Some keys stand beside the contract's: they repeat what its own examples look for
elsewhere (``timestamp`` and ``status`` within data), or say more.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Message(Struct, frozen=True):
    type: str
    timestamp: str
    data: Any


class Connected(Struct, frozen=True, kw_only=True):
    client_id: str
    session_id: str
    server_version: str
    pooled: bool = True


class Pool(Struct, frozen=True, kw_only=True):
    """The connections of one user."""

    pool_id: str
    active_connections: int
    max_connections: int
    pool_utilization: float


class Confirmed(Struct, frozen=True, kw_only=True):
    events: list[str]
    agents: list[str]
    """Empty: all."""
    status: str


class NotSupported(Struct, frozen=True, kw_only=True):
    error_code: str
    error_message: str
    supported_events: tuple[str, ...]


class Failed(Struct, frozen=True, kw_only=True):
    error_code: str
    error_message: str


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of an allowance is used. ``reset_time``: from when on there is room again."""

    limit_type: str
    current_usage: int
    limit: int
    recommended_action: str
    reset_time: str | None = None
    retry_after: float | None = None
    error_code: str | None = None
    error_message: str | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """Why a connection is closed, or not even begun; ``retry_after`` in seconds."""

    error_code: str
    error_message: str
    close_code: int
    retry_after: int


class Pong(Struct, frozen=True, kw_only=True):
    server_time: str
    connection_duration: int


class Configured(Struct, frozen=True, kw_only=True):
    """What holds for this connection now."""

    metrics_interval: int
    buffer_size: int
    compression: bool


class Disconnecting(Struct, frozen=True, kw_only=True):
    reason: str
    disconnect_at: str
    recommended_action: str


class AgentStatus(Struct, frozen=True, kw_only=True):
    agent_id: str
    old_status: str
    new_status: str
    reason: str
    last_inference: str | None
    inference_count: int
    status: str
    timestamp: str


class AgentCreated(Struct, frozen=True, kw_only=True):
    agent_id: str
    name: str
    template: str | None
    """The agent's kind."""
    created_by: str | None
    status: str


class AgentDeleted(Struct, frozen=True, kw_only=True):
    agent_id: str
    name: str
    deleted_by: str | None
    reason: str


class AgentUpdated(Struct, frozen=True, kw_only=True):
    agent_id: str
    name: str
    changes: dict[str, Any]
    """What is new, by name: the agent's own facts, or the ``configuration`` it has taken over."""
    updated_by: str | None


class InferenceStarted(Struct, frozen=True, kw_only=True):
    inference_id: str
    agent_id: str
    query: str | None
    estimated_duration: float | None
    """Seconds: how long this agent's took lately."""
    priority: str | None
    kind: str
    timestamp: str


class InferenceProgress(Struct, frozen=True, kw_only=True):
    inference_id: str
    agent_id: str
    progress: float
    stage: str | None
    estimated_remaining: float | None
    timestamp: str


class Summary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    confidence: float | None
    key_findings: list[Any]
    text: str | None = None


class InferenceCompleted(Struct, frozen=True, kw_only=True):
    inference_id: str
    agent_id: str
    status: str
    processing_time: float
    result_summary: Summary
    timestamp: str


class InferenceFailed(Struct, frozen=True, kw_only=True):
    inference_id: str
    agent_id: str
    error_code: str
    error_message: str
    processing_time: float
    timestamp: str


class SystemLoad(Struct, frozen=True, kw_only=True):
    cpu_usage: float
    memory_usage: float
    active_agents: int
    queue_length: int


class AgentLoad(Struct, frozen=True, kw_only=True):
    status: str
    inference_rate: float
    """A minute."""
    avg_response_time: float
    """Seconds."""
    success_rate: float
    current_load: float


class Metrics(Struct, frozen=True, kw_only=True):
    system: SystemLoad
    agents: dict[str, AgentLoad]
    cpu_usage: float
    memory_usage: float
    active_agents: int


class PerformanceAlert(Struct, frozen=True, kw_only=True):
    alert_id: str
    severity: str
    type: str
    message: str
    affected_components: list[str]
    current_value: float | None
    threshold: float | None
    recommended_action: str
    status: str
    """``firing`` or ``resolved``."""
    agent_id: str | None = None
    rule: str | None = None


class SystemAlert(Struct, frozen=True, kw_only=True):
    alert_id: str
    severity: str
    type: str
    message: str
    affected_components: list[str]
    status: str
    estimated_resolution: str | None = None


class SystemStatus(Struct, frozen=True, kw_only=True):
    old_status: str
    new_status: str
    reason: str
    components: dict[str, str]


class Maintenance(Struct, frozen=True, kw_only=True):
    enabled: bool
    message: str
    started_by: str
    ends_at: str


class Entity(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``created_by``, ``updated_by`` or ``deleted_by``, as the type of the message has it."""

    entity_id: str
    type: str | None
    label: str | None
    properties: dict[str, Any]
    agent_id: str
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None


class Relationship(Struct, frozen=True, kw_only=True, omit_defaults=True):
    relationship_id: str
    source_id: str | None
    target_id: str | None
    relationship_type: str | None
    strength: float | None
    agent_id: str
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None


class CommandResult(Struct, frozen=True, kw_only=True):
    command: str
    agent_id: str
    request_id: str
    command_id: str | None
    status: str
    """The command's true state: requested, delivered, claimed, confirmed, failed, unsupported or expired; or
    ``unchanged``, where there was nothing to do."""
    message: str


class CommandError(Struct, frozen=True, kw_only=True):
    command: str | None
    agent_id: str | None
    error_code: str
    error_message: str
    request_id: str
