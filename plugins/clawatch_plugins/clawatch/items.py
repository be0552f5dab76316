"""One item of a posted batch, from its JSON to an event."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from clawatch.domain.events import Activity, Event, EventType, Facts, Origin, Phase, RunReport, Tool, Usage
from clawatch.domain.hashing import hash_value
from clawatch.domain.money import nanos
from clawatch.domain.time import Millis, parse_iso
from clawatch_plugins.clawatch.cutting import MAX_DEPTH, cut_argument, cut_text, is_deep, shrink
from clawatch_plugins.clawatch.details import check_entity, check_metrics, numbers_of, read_run
from clawatch_plugins.clawatch.words import ACTIVITY_OF, TYPE_OF, listed, say

SOURCE = "clawatch"
MAX_ID = 200
MAX_NAME = 200
MAX_ERROR = 4_000
MAX_TOKENS = 10**10
"""Tokens in one event; more is a mistake, and sums of them must stay inside 64 bits."""
MAX_COST_USD = 1_000_000.0
MAX_LABELS = 32
_SMALL = 8 * 1024
"""Data up to this many bytes needs no cutting."""

_NOTHING = Raw(b"{}")


class Item(Struct, rename="camel", gc=False):
    """The top level of an event as it is sent. ``data`` is decoded in a second step, twice."""

    agent_id: str | None = None
    type: str | None = None
    agent_name: str | None = None
    host: str | None = None
    timestamp: str | None = None
    data: Raw = _NOTHING
    id: str | None = None
    session_id: str | None = None
    call_id: str | None = None
    phase: str | None = None
    kind: str | None = None
    group: str | None = None
    labels: dict[str, str] | None = None
    capabilities: list[str] | None = None


class Told(Struct, rename="camel", gc=False):
    """The keys of ``data`` that have a meaning, strictly typed. A number in quotes is no number."""

    message: str | None = None
    token_count: int | float | None = None
    cost_usd: float | None = None
    model: str | None = None
    tool_name: str | None = None
    error: str | None = None
    ok: bool | None = None
    blocked: bool | None = None
    duration_ms: float | None = None
    revenue_usd: float | None = None
    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cache_read_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None
    status: Any = None
    progress: Any = None


_TOLD = msgspec.json.Decoder(Told)
_DATA = msgspec.json.Decoder(dict[str, Any] | None)
_PHASES: dict[str | None, Phase] = {None: Phase.POINT, **{phase.value: phase for phase in Phase}}
_GAUGES = Told()
"""Numbers under ``metrics`` are gauges: nothing there is counted as cost or tokens."""


def event_of(item: Item, now: Millis, origin: Origin) -> Event:
    """The event an item stands for. Raises ValueError with words for its sender."""
    if not item.agent_id or not item.type:
        raise ValueError("agentId and type are required")
    kind = TYPE_OF.get(item.type)
    if kind is None:
        raise ValueError(f"type: {_quoted(item.type)} is not known; use {listed(TYPE_OF)}")
    raw = bytes(item.data)
    try:
        data = _decode_data(raw)
        told = _GAUGES if kind is EventType.METRICS or not data else _TOLD.decode(raw)
        run = _check_details(kind, data)
    except msgspec.ValidationError as error:
        raise ValueError(say(error, "data")) from None
    tool = _tool(told, data) if kind is EventType.TOOL_CALL else None  # hashed before it is cut
    return Event(
        agent_id=item.agent_id,
        type=kind,
        at=now if item.timestamp is None else _instant(item.timestamp),
        id=_id("id", item.id),
        session_id=_id("sessionId", item.session_id),
        call_id=_id("callId", item.call_id),
        phase=_phase(item.phase),
        origin=origin,
        source=SOURCE,
        facts=_facts(item),
        tool=tool,
        data=_kept(data, len(raw)),
        usage=_usage(told),
        error=cut_text(told.error, MAX_ERROR) if told.error else None,
        latency_ms=_duration(told.duration_ms),
        revenue=None if told.revenue_usd is None else _dollars("revenueUsd", told.revenue_usd),
        gauges=numbers_of(data) if kind is EventType.METRICS else {},
        activity=_activity(kind, told.status),
        run=run,
        is_progress=told.progress is not False,
    )


def _check_details(kind: EventType, data: dict[str, Any]) -> RunReport | None:
    if kind is EventType.RUN:
        return read_run(data)
    if kind is EventType.METRICS:
        check_metrics(data)
    elif kind is EventType.ENTITY:
        check_entity(data)
    return None


def _phase(word: str | None) -> Phase:
    phase = _PHASES.get(word)
    if phase is None:
        raise ValueError(f"phase: {_quoted(word)} is not known; use {listed(Phase)}")
    return phase


def _decode_data(raw: bytes) -> dict[str, Any]:
    data = _DATA.decode(raw) or {}
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and is_deep(data):
        raise ValueError(f"data: nested deeper than {MAX_DEPTH} levels")
    return data


def _quoted(text: str | None) -> str:
    return repr(cut_text(text or "", 60))


def _instant(text: str) -> Millis:
    try:
        return parse_iso(text)
    except ValueError:
        raise ValueError(
            f"timestamp: {_quoted(text)} is not an ISO 8601 date-time; write it like 2026-03-09T14:00:00Z"
        ) from None


def _id(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > MAX_ID:
        raise ValueError(f"{name}: {len(value)} characters, at most {MAX_ID} are allowed")
    return value or None


def _facts(item: Item) -> Facts | None:
    if not (item.agent_name or item.host or item.kind or item.group or item.labels or item.capabilities is not None):
        return None
    return Facts(
        name=_plain(item.agent_name),
        host=_plain(item.host),
        kind=_plain(item.kind),
        group=_plain(item.group),
        claims_group=bool(item.group),
        labels=_labels(item.labels),
        capabilities=None if item.capabilities is None else _capabilities(item.capabilities),
    )


def _plain(text: str | None) -> str | None:
    """A name without control characters; None when nothing is left of it."""
    if not text:
        return None
    if not text.isprintable():
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text[:MAX_NAME] or None


def _labels(labels: dict[str, str] | None) -> dict[str, str] | None:
    if not labels:
        return None
    if len(labels) > MAX_LABELS:
        raise ValueError(f"labels: {len(labels)} of them, at most {MAX_LABELS} are allowed")
    return {name: _plain(value) or "" for key, value in labels.items() if (name := _plain(key))}


def _capabilities(capabilities: list[str]) -> tuple[str, ...]:
    if len(capabilities) > MAX_LABELS:
        raise ValueError(f"capabilities: {len(capabilities)} of them, at most {MAX_LABELS} are allowed")
    return tuple(plain for one in capabilities if (plain := _plain(one)))


def _tool(told: Told, data: dict[str, Any]) -> Tool | None:
    arguments, result = data.get("arguments"), data.get("result")
    if told.tool_name is None and told.ok is None and not told.blocked and arguments is None and result is None:
        return None
    return Tool(
        name=(told.tool_name or "")[:MAX_NAME],
        args_hash=None if arguments is None else hash_value(arguments),
        result_hash=None if result is None else hash_value(result),
        ok=told.ok,
        is_blocked=bool(told.blocked),
    )


def _usage(told: Told) -> Usage | None:
    total = None if told.token_count is None else _count("tokenCount", told.token_count)
    read_in = _count("inputTokens", told.input_tokens)
    output = _count("outputTokens", told.output_tokens)
    cache_read = _count("cacheReadTokens", told.cache_read_tokens)
    cache_write = _count("cacheWriteTokens", told.cache_write_tokens)
    if told.cost_usd is None and not (total or read_in or output or cache_read or cache_write):
        return None
    if cache_read + cache_write > read_in:  # cannot include them, so it was counted beside them
        read_in += cache_read + cache_write
    return Usage(
        model=(told.model or "")[:MAX_NAME],
        cost=None if told.cost_usd is None else _dollars("costUsd", told.cost_usd),
        input=read_in,
        output=output,
        cache_read=cache_read,
        cache_write=cache_write,
        tokens=total,
    )


def _count(name: str, value: float | None) -> int:
    if value is None:
        return 0
    if not 0 <= value <= MAX_TOKENS or int(value) != value:
        raise ValueError(f"data.{name}: must be a whole number from 0 to {MAX_TOKENS}")
    return int(value)


def _dollars(name: str, usd: float) -> int:
    if not 0 <= usd <= MAX_COST_USD:
        raise ValueError(f"data.{name}: must be a number of dollars from 0 to {MAX_COST_USD:.0f}")
    return nanos(usd)


def _duration(ms: float | None) -> float | None:
    if ms is not None and not 0 <= ms <= 1e12:
        raise ValueError("data.durationMs: must be a number of milliseconds, 0 or more")
    return ms


def _activity(kind: EventType, status: Any) -> Activity | None:
    """Said by ``status_change``, where the word must be known, or beside a heartbeat, where it need not be."""
    if status is None or kind not in (EventType.STATUS_CHANGE, EventType.HEARTBEAT):
        return None
    activity = ACTIVITY_OF.get(status) if isinstance(status, str) else None
    if activity is None and kind is EventType.STATUS_CHANGE:
        shown = _quoted(status) if isinstance(status, str) else "what it holds"
        raise ValueError(f"data.status: {shown} is not known; use {listed(ACTIVITY_OF)}")
    return activity


def _kept(data: dict[str, Any], size: int) -> dict[str, Any]:
    for key in ("arguments", "result", "input"):
        if key in data:
            data[key] = cut_argument(data[key])
    return data if size <= _SMALL else shrink(data)


