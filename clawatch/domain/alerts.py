"""Alerts: one per rule, agent and subject; each firing is an episode with an id of its own."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from clawatch.domain.time import Millis


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


SEVERITY_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class AlertType(StrEnum):
    """The seed's four words; every rule names its own at registration (CW-43)."""

    STUCK = "stuck"
    ERROR = "error"
    COST_SPIKE = "cost_spike"
    LOOP_DETECTED = "loop_detected"


class AlertState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why we speak."""

    FIRED = "fired"
    RAISED = "raised"
    """A higher severity than told before."""
    UPDATED = "updated"
    """Acknowledged, silenced, a command moved: told by editing, never by a new message."""
    RESOLVED = "resolved"
    REPEATED = "repeated"
    UNSILENCED = "unsilenced"
    NOTICE = "notice"
    """A one-off word that is no alert: status_error, the daemon's own state."""
    SUMMARY = "summary"
    """Stands for many alerts of one rule (the storm cap)."""
    TEST = "test"


class Mark(Struct, frozen=True):
    """Who acknowledged or silenced, and when."""

    by: str
    at: Millis


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    """``alert_…``; a new one for each episode."""
    fingerprint: str
    rule: str
    type: AlertType
    severity: Severity
    agent_id: str
    subject: str
    message: str
    state: AlertState
    started_at: Millis
    """When it became pending."""
    fired_at: Millis = 0
    resolved_at: Millis = 0
    changed_at: Millis = 0
    clear_since: Millis = 0
    """Set while the condition is gone and ``resolve_after`` runs."""
    acknowledged: Mark | None = None
    evidence: dict[str, Any] = {}
    told_at: Millis = 0
    """When people were last told, for ``repeat``."""
    told: tuple[str, ...] = ()
    """The notifiers it has been routed to so far; those hear how it goes on, whatever becomes of its severity."""
    says_silent: bool = False
    """Its agent's status is stuck while this fires."""
    calls_brake: bool = False
    """Its newest verdict is of the rule's highest level, and sure enough to brake."""
    brake: str | None = None
    """The command id that this episode's brake issued, or why it did not act."""
    brake_released: bool = False
    """A human resumed the agent: the brake stays off for this episode."""
    version: int = 0
    cause: int = 0
    """The journal seq that last moved it; makes edges idempotent."""

    @property
    def is_firing(self) -> bool:
        return self.state is AlertState.FIRING


class Silence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mutes alerts that match, until it expires. Empty fields match everything; ``agent`` is a pattern.

    One for a single alert has its ``alert_id``, and its agent's id for ``agent``.
    """

    id: str
    created_at: Millis
    expires_at: Millis
    by: str
    reason: str = ""
    agent: str = "*"
    rule: str = ""
    severity: str = ""
    alert_id: str = ""


def fingerprint(rule: str, agent_id: str, subject: str) -> str:
    """What makes two verdicts speak of the same alert."""
    digest = blake2b(digest_size=12)
    for part in (rule, agent_id, subject):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
