"""What a bot says, read strictly: a frame becomes an event, or is refused with words for whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from msgspec.structs import replace

from clawatch.domain.events import Event, EventType
from clawatch.domain.gauges import LARGEST
from clawatch.domain.time import Millis, iso, parse_iso
from clawatch.ports import Invalid
from clawatch_plugins.clawdnet.amounts import is_amount
from clawatch_plugins.clawdnet.words import ACTIVITY_OF, SOURCE, listed

MOST_METRICS = 100
MOST_SKILLS = 64
LONGEST_NAME = 100
MAX_ERROR = 4_000
"""Characters kept of an error beside the data it came in."""
_NEVER_NEGATIVE = frozenset({
    "messages_1h", "messages_24h", "active_sessions", "avg_response_ms", "memory_mb", "cpu_percent", "uptime_s",
})  # fmt: skip
_TEXTS = ("error_type", "skill", "message")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")


@dataclass(frozen=True)
class Said:
    """A bot's frame: the event it stands for, and what of it dashboards are told literally."""

    type: str
    event: Event
    timestamp: str


def read(type: str, message: dict[str, Any], now: Millis, id: str) -> Said:
    """Raises Invalid. The agent's id is judged where rights are."""
    agent_id = message.get("agent_id")
    if not isinstance(agent_id, str):
        raise Invalid("agent_id: a text is required")
    at, timestamp = _instant(message.get("timestamp"), now)
    return Said(type, READERS[type](message, Event(
        agent_id=agent_id, type=EventType.METRICS, at=at, id=id, source=SOURCE, data=_data(message)
    )), timestamp)  # fmt: skip


def _instant(text: Any, now: Millis) -> tuple[Millis, str]:
    """When it was said, and how dashboards are told: as it came, but always in UTC."""
    if text is None:
        return now, iso(now)
    try:
        at = parse_iso(text)
    except (TypeError, AttributeError, ValueError, OverflowError):
        raise Invalid("timestamp: write it like 2026-01-30T12:00:00Z") from None
    return at, text if _TIMESTAMP.fullmatch(text) else iso(at)


def _data(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "status":
        return {"status": message.get("status")}
    data = message.get("data")
    if not isinstance(data, dict):
        raise Invalid("data: an object is required")
    for name in data:
        if not 0 < len(name) <= LONGEST_NAME:
            raise Invalid(f"data: names have 1 to {LONGEST_NAME} characters")
    return data


def _metrics(message: dict[str, Any], event: Event) -> Event:
    if len(event.data) > MOST_METRICS:
        raise Invalid(f"data: {len(event.data)} metrics, at most {MOST_METRICS} are taken")
    gauges = {name: _number(f"data.{name}", value, name in _NEVER_NEGATIVE) for name, value in event.data.items()}
    return replace(event, gauges=gauges)


def _skills(message: dict[str, Any], event: Event) -> Event:
    if len(event.data) > MOST_SKILLS:
        raise Invalid(f"data: {len(event.data)} skills, at most {MOST_SKILLS} are taken")
    gauges: dict[str, float] = {}
    for skill, told in event.data.items():
        if not isinstance(told, dict):
            raise Invalid(f"data.{skill}: an object is required")
        if len(told) > MOST_METRICS:
            raise Invalid(f"data.{skill}: at most {MOST_METRICS} keys are taken")
        for name, value in told.items():
            number = _of_skill(f"data.{skill}.{name}", name, value)
            if name in SKILL_GAUGES:
                gauges[f"skill.{skill}.{name}"] = number
    return replace(event, gauges=gauges)


SKILL_GAUGES = frozenset({"calls_1h", "revenue_1h", "avg_latency_ms"})


def _of_skill(path: str, name: str, value: Any) -> float:
    if name.startswith("revenue"):
        if not isinstance(value, str) or not is_amount(value):
            raise Invalid(f'{path}: must be an amount in a string, like "0.90"')
        return float(value)
    if name == "calls_1h" and not isinstance(value, int):
        raise Invalid(f"{path}: must be a whole number")
    return _number(path, value, never_negative=name in SKILL_GAUGES)


def _number(path: str, value: Any, never_negative: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid(f"{path}: must be a number")
    if abs(value) > LARGEST or not isfinite(value):
        raise Invalid(f"{path}: is too large")
    if never_negative and value < 0:
        raise Invalid(f"{path}: must not be negative")
    return float(value)


def _status(message: dict[str, Any], event: Event) -> Event:
    word = message.get("status")
    activity = ACTIVITY_OF.get(word) if isinstance(word, str) else None
    if activity is None:
        raise Invalid(f"status: use {listed(ACTIVITY_OF)}")
    return replace(event, type=EventType.STATUS_CHANGE, activity=activity)


def _error(message: dict[str, Any], event: Event) -> Event:
    for name, value in event.data.items():
        if name in _TEXTS and not isinstance(value, str):
            raise Invalid(f"data.{name}: must be a text")
        if isinstance(value, (dict, list)):
            raise Invalid(f"data.{name}: must be a text, a number, true, false or null")
    said = event.data.get("message") or event.data.get("error_type")
    if not said:
        raise Invalid("data: an error needs a message or an error_type")
    return replace(event, type=EventType.ERROR, error=said[:MAX_ERROR])


READERS: dict[str, Callable[[dict[str, Any], Event], Event]] = {
    "metrics": _metrics, "skills": _skills, "status": _status, "error": _error,
}  # fmt: skip
"""By the type of frame."""
