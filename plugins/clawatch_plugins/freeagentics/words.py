"""The contract's words: types of events, statuses, severities, codes of errors."""

from __future__ import annotations

from clawatch.domain.agents import Status
from clawatch.domain.alerts import Severity

METRICS_UPDATE = "metrics_update"
PERFORMANCE_ALERT = "performance_alert"
SYSTEM_ALERT = "system_alert"
SYSTEM_STATUS = "system_status"
MAINTENANCE_MODE = "maintenance_mode"

TYPES = (
    "agent_status", "agent_created", "agent_deleted", "agent_updated",
    "inference_started", "inference_progress", "inference_completed", "inference_failed",
    METRICS_UPDATE, PERFORMANCE_ALERT,
    SYSTEM_ALERT, SYSTEM_STATUS, MAINTENANCE_MODE,
    "entity_created", "entity_updated", "entity_deleted",
    "relationship_created", "relationship_updated", "relationship_deleted",
    "connection_established", "subscription_confirmed", "subscription_error", "command_error",
    "rate_limit_warning", "disconnect_warning", "connection_pool_info",
)
"""What one may subscribe to. The last row's come to everybody they concern anyway."""

ALIASES: dict[str, tuple[str, ...]] = {
    "metrics": (METRICS_UPDATE, PERFORMANCE_ALERT),
    "system_alerts": (SYSTEM_ALERT,),
}
"""The contract's examples subscribe by these names, its reference does not know them."""

SUPPORTED = (*TYPES, *ALIASES)


def types_of(name: str) -> tuple[str, ...]:
    """What a name stands for; nothing where it is not known."""
    return ALIASES.get(name) or ((name,) if name in TYPES else ())


STATUS_OF: dict[Status, str] = {
    Status.PENDING: "pending",
    Status.IDLE: "idle",
    Status.RUNNING: "active",
    Status.PAUSED: "paused",
    Status.STOPPED: "stopped",
    Status.ERROR: "error",
    Status.STUCK: "error",
}

SEVERITY_OF: dict[Severity, str] = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "error",  # the contract's clients filter by warning and error
}


def severity_of(word: str) -> str:
    """A severity that somebody filters by, in the contract's words."""
    return "error" if word == "critical" else word


AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
INVALID_MESSAGE_FORMAT = "INVALID_MESSAGE_FORMAT"
INVALID_EVENT_TYPE = "INVALID_EVENT_TYPE"
INVALID_COMMAND = "INVALID_COMMAND"
AGENT_NOT_FOUND = "AGENT_NOT_FOUND"
PERMISSION_DENIED = "PERMISSION_DENIED"
CONNECTION_LIMIT_EXCEEDED = "CONNECTION_LIMIT_EXCEEDED"
COMMAND_CONFLICT = "COMMAND_CONFLICT"
SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
