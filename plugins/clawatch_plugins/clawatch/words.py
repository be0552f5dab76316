"""Status words: ours and ClaWatch's, both ways total."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from clawatch.domain.agents import Status
from clawatch.domain.events import Activity, EventType

WORD_OF: dict[Status, str] = {
    Status.PENDING: "stopped",
    Status.IDLE: "running",
    Status.RUNNING: "running",
    Status.PAUSED: "paused",
    Status.STOPPED: "stopped",
    Status.ERROR: "error",
    Status.STUCK: "stuck",
}
"""The contract knows five words; dashboards index a table of five with them."""

STATUS_WORDS = ("running", "paused", "stopped", "error", "stuck")

ACTIVITY_OF: dict[str, Activity] = {
    **{activity.value: activity for activity in Activity},
    "online": Activity.RUNNING,
    "busy": Activity.RUNNING,
    "active": Activity.RUNNING,
    "offline": Activity.STOPPED,
    "stuck": Activity.ERROR,  # one of the contract's words; an agent that says so of itself has failed at its work
}
"""What an agent may say of itself."""

TYPE_OF: dict[str, EventType] = {kind.value: kind for kind in EventType}

SEED_TYPES = (
    EventType.HEARTBEAT,
    EventType.TOOL_CALL,
    EventType.ERROR,
    EventType.COST,
    EventType.STATUS_CHANGE,
)
"""The only types a client of the contract knows; ``recentEvents`` holds no others."""


def listed(words: Iterable[object]) -> str:
    """Words for a refusal: ``a, b or c``."""
    known = [str(word) for word in words]
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"


_PATH = re.compile(r"(.*) - at `\$(?:\[\d+\])?\.?(.*)`", re.DOTALL)


def say(error: Exception, within: str = "") -> str:
    """An error of decoding in words for the sender: the key first, as the sender knows it."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not valid UTF-8"
    if not isinstance(error, msgspec.ValidationError):
        return str(error)
    found = _PATH.fullmatch(str(error))
    text, path = found.groups() if found else (str(error), "")
    key = ".".join(part for part in (within, path) if part)
    return f"{key}: {text[:1].lower()}{text[1:]}" if key else text
