"""Rule tests as people write them: events with their times, and the alerts that are expected of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from clawatch.domain.access import check_agent_id
from clawatch.domain.agents import Control
from clawatch.domain.events import Activity, Event, EventType, Facts, Phase, Tool, Usage
from clawatch.domain.hashing import hash_value
from clawatch.domain.money import nanos
from clawatch.domain.time import DAY, HOUR, Millis, parse_duration, parse_iso
from clawatch.ports import ClaWatchError

START = "2026-03-09T12:00:00Z"
MOST_EVENTS = 1_000_000
LONGEST = 366 * DAY
_CONTROLS = {"pause": Control.PAUSED, "resume": Control.RUN, "start": Control.RUN, "stop": Control.STOPPED}

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Verb = Literal["pause", "resume", "start", "stop"]


class WrongScript(ClaWatchError):
    """With the place, and what to write there."""


class _Part(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Said(_Part):
    """What happens. ``data`` has the keys of ``POST /api/events``."""

    at: str
    agent: Name
    type: EventType = EventType.HEARTBEAT
    data: dict[str, Any] = {}
    session_id: Name | None = None
    call_id: Name | None = None
    phase: Phase = Phase.POINT
    name: Name | None = None
    host: Name | None = None
    kind: Name | None = None
    group: Name | None = None
    control: Verb | None = None
    """Its owner does this, instead of an event of the agent."""
    times: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 1
    every: str = "1s"


class Expected(_Part):
    """An alert. What is not named is not compared."""

    at: str
    rule: Name
    agent: str | None = None
    severity: Literal["info", "warning", "critical"] | None = None
    message: str | None = None
    """A part of it."""
    brake: Literal["pause", "stop", "none"] | None = None
    resolved: str | None = None
    """When it is over, or ``never``."""


class Script(_Part):
    events: list[Said]
    alerts: list[Expected] = []
    name: str = ""
    config: dict[str, Any] = {}
    """Laid over the configuration of the file."""
    start: str = START
    until: str | None = None
    """How long it goes on; until an hour after the last event if it is not said."""
    within: str = "1s"
    """How far times may be off."""


class File(_Part):
    tests: list[Script]
    config: dict[str, Any] = {}


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_scripts(path: Path) -> File:
    """The tests of a file. Raises WrongScript."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is the safe one
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise WrongScript(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if isinstance(raw, dict) and "tests" not in raw:
        raw = {"tests": [raw]}
    try:
        file = msgspec.convert(raw, File)
    except msgspec.ValidationError as error:
        raise WrongScript(f"{path}: {error}") from None
    for number, script in enumerate(file.tests, 1):
        script.name = script.name or f"test {number}"
    return file


def start_of(script: Script) -> Millis:
    try:
        return parse_iso(script.start)
    except ValueError as error:
        raise WrongScript(f"{script.name}: start: {error}") from None


def duration(script: Script, text: str) -> Millis:
    try:
        found = 0 if text in ("0", "") else parse_duration(text)
    except ValueError as error:
        raise WrongScript(f"{script.name}: {error}") from None
    if found > LONGEST:
        raise WrongScript(f"{script.name}: {text} is longer than a year")
    return found


def happenings(script: Script) -> list[tuple[Millis, Said]]:
    """By time, since the start; what is said several times stands there as often."""
    found: list[tuple[Millis, Said]] = []
    for said in script.events:
        first, every = duration(script, said.at), duration(script, said.every)
        found += [(first + number * every, said) for number in range(said.times)]
        if len(found) > MOST_EVENTS:
            raise WrongScript(f"{script.name}: more than {MOST_EVENTS} events")
    return sorted(found, key=lambda one: one[0])


def control_of(said: Said) -> Control | None:
    return None if said.control is None else _CONTROLS[said.control]


def event_of(said: Said, now: Millis) -> Event:
    """As the event would come out of the API. Raises WrongScript."""
    try:
        check_agent_id(said.agent)
        return Event(
            agent_id=said.agent, type=said.type, at=now, received_at=now, session_id=said.session_id,
            call_id=said.call_id, phase=said.phase, source="clawatch", data=said.data,
            facts=Facts(name=said.name, host=said.host, kind=said.kind, group=said.group),
            tool=_tool(said), usage=_usage(said.data), error=_text(said.data, "error"),
            latency_ms=said.data.get("durationMs"), activity=_activity(said),
        )
    except (ValueError, TypeError) as error:
        raise WrongScript(f"an event of {said.agent} at {said.at}: {error}") from None


def _tool(said: Said) -> Tool | None:
    data = said.data
    if said.type is not EventType.TOOL_CALL:
        return None
    hashed = {name: hash_value(data[name]) if name in data else None for name in ("arguments", "result")}
    return Tool(
        name=_text(data, "toolName") or "", args_hash=hashed["arguments"], result_hash=hashed["result"],
        ok=data.get("ok"), is_blocked=bool(data.get("blocked")),
    )


def _usage(data: dict[str, Any]) -> Usage | None:
    names = {
        "input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadTokens",
        "cache_write": "cacheWriteTokens",
    }  # fmt: skip
    tokens: dict[str, Any] = {field: int(data[key]) for field, key in names.items() if key in data}
    if not tokens and "costUsd" not in data and "tokenCount" not in data:
        return None
    return Usage(
        model=_text(data, "model") or "", cost=nanos(data["costUsd"]) if "costUsd" in data else None,
        tokens=data.get("tokenCount"), **tokens,
    )  # fmt: skip


def _activity(said: Said) -> Activity | None:
    status = said.data.get("status")
    return None if status is None else Activity(status)


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value


def length_of(script: Script, happened: list[tuple[Millis, Said]]) -> Millis:
    if script.until is not None:
        return duration(script, script.until)
    return (happened[-1][0] if happened else 0) + HOUR
