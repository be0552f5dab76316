"""Alerts, and the silences that mute them."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from clawatch_plugins.clawatch.wire.base import Wire


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
