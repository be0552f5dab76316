"""What goes out to people, and what became of it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Reason, Severity
from clawatch.domain.commands import Command
from clawatch.domain.time import Millis


class Outgoing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the outbox: something to say through one notifier.

    Rows of one (notifier, thread) are delivered in order; ``thread`` is the alert's id, or the
    notice's or summary's own.
    """

    id: str
    notifier: str
    thread: str
    reason: Reason
    created_at: Millis
    next_at: Millis
    rule: str = ""
    agent_id: str = ""
    alert_id: str | None = None
    severity: Severity = Severity.WARNING
    text: str = ""
    """For notices, summaries and tests."""
    attempts: int = 0
    data: dict[str, Any] = {}


class Notification(Struct, frozen=True, kw_only=True):
    """What a notifier is handed.

    ``alert`` is the alert as it stands now, not as it stood when the row was written. ``ref`` is what
    ``Delivered`` returned for this thread before (so the message can be edited), else None.
    """

    id: str
    """Stable over retries: use it as the idempotency key."""
    notifier: str
    thread: str
    reason: Reason
    at: Millis
    """When it came about."""
    now: Millis
    severity: Severity
    text: str
    alert: Alert | None = None
    agent: Agent | None = None
    command: Command | None = None
    """The newest command of this agent that the alert or a press on it brought about."""
    silenced_until: Millis | None = None
    ref: str | None = None
    is_quiet: bool = False
    """Only edit what is already there; send nothing new (silenced, or an update)."""


class Delivered(Struct, frozen=True):
    ref: str | None = None
    """Opaque; handed back as ``Notification.ref``. None keeps the one there is."""


class RetryLater(Struct, frozen=True):
    why: str
    after: Millis | None = None
    """How long the other side asked us to wait; None leaves it to the outbox's backoff."""


class Undeliverable(Struct, frozen=True):
    """Trying again cannot help."""

    why: str


Outcome = Delivered | RetryLater | Undeliverable
