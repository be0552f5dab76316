"""Status words: ours and ClawdNet's, both ways total; and the names of things in frames."""

from __future__ import annotations

from collections.abc import Iterable

from clawatch.domain.agents import Status
from clawatch.domain.events import Activity

SOURCE = "clawdnet"

WORD_OF: dict[Status, str] = {
    Status.PENDING: "pending",
    Status.IDLE: "online",
    Status.RUNNING: "online",
    Status.PAUSED: "offline",
    Status.STOPPED: "offline",
    Status.ERROR: "online",
    Status.STUCK: "offline",
}
GONE = "offline"
"""Of an agent that was removed."""

ACTIVITY_OF: dict[str, Activity] = {
    "online": Activity.RUNNING,
    "busy": Activity.RUNNING,
    "offline": Activity.STOPPED,
    "pending": Activity.PENDING,
}
"""What a bot may say of itself; dashboards know no other word."""


def listed(words: Iterable[str]) -> str:
    """Words for a refusal: ``a, b or c``."""
    *known, last = words
    return f"{', '.join(known)} or {last}" if known else last
