"""Codex's log events, each by a line of the table. What is not in it is passed over.

Prompts, arguments and outputs are told where the operator lets Codex; of arguments there is a hash, of the rest a
length. A turn's end is not told: an answer ends it unless a tool's call goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from clawatch.apis.attributes import count, flag, number, text
from clawatch.apis.contents import args_hash, content
from clawatch.apis.steps import SOURCE
from clawatch.apis.telemetry import LOG_RANK, LogRecord
from clawatch.domain.events import Event, EventType, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis
from clawatch_plugins.codex.identity import PRODUCT, conversation_of, whose

_PREFIX = "codex."
_COMPLETED = "response.completed"
_FAILED = frozenset({"response.failed", "response.incomplete"})


def map_log(record: LogRecord, now: Millis) -> Event | None:
    """The event a record stands for."""
    make = TABLE.get(record.name.removeprefix(_PREFIX)) if record.name.startswith(_PREFIX) else None
    conversation = conversation_of(record.attributes)
    if make is None or conversation is None:
        return None
    return make(_blank(record, conversation, now), record.attributes)


def _blank(record: LogRecord, conversation: str, now: Millis) -> Event:
    who = whose(record.resource, record.attributes, PRODUCT, conversation)
    return Event(
        agent_id=who.agent_id,
        type=EventType.HEARTBEAT,
        at=record.at or now,
        id=f"log:{hash_value([conversation, record.name, record.nanos, record.attributes])}",
        session_id=conversation,
        signal=Signal.LOG,
        rank=LOG_RANK,
        source=SOURCE,
        facts=who.facts,
    )


def _conversation_starts(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(event, turn=Turn.CLOSED, is_hidden=True, data=_data(provider=text(told, "provider_name")))


def _user_prompt(event: Event, told: Mapping[str, Any]) -> Event:
    data = _data(role="user", length=count(told, "prompt_length"))
    return replace(
        event, type=EventType.MESSAGE, turn=Turn.OPEN, data={**data, **content(told, prompt="prompt")}
    )


def _api_request(event: Event, told: Mapping[str, Any]) -> Event:
    status, error = count(told, "http.response.status_code"), text(told, "error.message")
    if error is None and (status is None or status < 400):
        return replace(event, is_hidden=True, turn=Turn.OPEN)
    return replace(
        event,
        type=EventType.ERROR,
        error=error or f"the model's API answered {status}",
        latency_ms=number(told, "duration_ms"),
        data=_data(statusCode=status, attempt=count(told, "attempt"), model=text(told, "model")),
    )


def _answer(event: Event, told: Mapping[str, Any]) -> Event | None:
    """Of the many pieces of an answer the last one tells its tokens, and comes twice: once without them."""
    kind = text(told, "event.kind")
    if kind in _FAILED or told.get("error.message"):
        return replace(event, type=EventType.ERROR, error=text(told, "error.message") or f"the model's {kind}")
    if kind != _COMPLETED or count(told, "input_token_count") is None:
        return None
    return replace(
        event,
        type=EventType.COST,
        usage=_usage(told),
        turn=Turn.CLOSED,
        data=_data(reasoningTokens=count(told, "reasoning_token_count")),
    )


def _usage(told: Mapping[str, Any]) -> Usage:
    """Its input includes cached tokens, its output those of reasoning."""
    return Usage(
        model=text(told, "model") or "",
        input=count(told, "input_token_count") or 0,
        output=count(told, "output_token_count") or 0,
        cache_read=count(told, "cached_token_count") or 0,
        cache_write=count(told, "cache_write_token_count") or 0,
    )


def _tool_decision(event: Event, told: Mapping[str, Any]) -> Event:
    decision = text(told, "decision") or ""
    is_blocked = decision.startswith(("denied", "abort", "timed"))
    return replace(
        event,
        type=EventType.TOOL_CALL,
        call_id=text(told, "call_id"),
        phase=Phase.START,
        tool=Tool(name=text(told, "tool_name") or "tool", is_blocked=is_blocked),
        data=_data(decision=decision or None, decidedBy=text(told, "source")),
        turn=None if is_blocked else Turn.OPEN,
    )


def _tool_result(event: Event, told: Mapping[str, Any]) -> Event:
    ok = flag(told, "success")
    name = text(told, "tool_name") or "tool"
    return replace(
        event,
        type=EventType.TOOL_CALL,
        call_id=text(told, "call_id"),
        phase=Phase.END,
        tool=Tool(name=name, args_hash=args_hash(told.get("arguments")), ok=ok),
        error=(text(told, "error.message") or f"{name} failed") if ok is False else None,
        latency_ms=number(told, "duration_ms"),
        data={
            **_data(server=text(told, "mcp_server"), agent=text(told, "agent_name")),
            **content(told, arguments="arguments", result="output"),
        },
        turn=Turn.OPEN,
    )


TABLE: dict[str, Callable[[Event, Mapping[str, Any]], Event | None]] = {
    "conversation_starts": _conversation_starts,
    "user_prompt": _user_prompt,
    "api_request": _api_request,
    "websocket_request": _api_request,
    "sse_event": _answer,
    "websocket_event": _answer,
    "tool_decision": _tool_decision,
    "tool_result": _tool_result,
}


def _data(**told: str | int | None) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}
