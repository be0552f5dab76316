"""What a rule says, and what it may ask for."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clawatch.domain.alerts import Severity
from clawatch.domain.time import Millis


class Verdict(Struct, frozen=True, kw_only=True):
    """A rule's judgement of one agent and subject. ``severity`` None: the condition does not hold."""

    agent_id: str
    """Empty where the rule speaks of the fleet as a whole; then there is nobody to brake."""
    severity: Severity | None
    subject: str = ""
    message: str = ""
    evidence: dict[str, Any] = {}
    may_brake: bool = True
    """False where the rule is not sure enough to pull the brake."""
    says_silent: bool = False
    """The agent as a whole gives no sign of life: its status is stuck from when this fires until it is over."""
    is_top: bool = True
    """Whether this is the rule's highest level, the only one at which the brake acts."""


class Notice(Struct, frozen=True, kw_only=True):
    """A one-off word through the outbox that is no alert."""

    agent_id: str
    key: str
    """At most one notice of a rule per key is told; put the hour in it to say a thing once an hour."""
    message: str
    severity: Severity = Severity.WARNING


class Wake(Struct, frozen=True, kw_only=True):
    """Ask to be called again: ``Rule.due(wake, …)`` at ``mono`` or just after, if the agent still exists."""

    mono: Millis
    agent_id: str
    """Empty: not about one agent; ``due`` is then given an agent without an id."""
    subject: str = ""


Finding = Verdict | Notice | Wake
