"""Gemini CLI's log events, each by a line of the table. What is not in it is passed over.

``gen_ai.client.inference.operation.details`` repeats ``api_response`` and is left out on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from clawatch.apis.attributes import count, flag, number, text
from clawatch.apis.contents import args_hash, content
from clawatch.apis.identity import identify_session, session_of
from clawatch.apis.steps import SOURCE
from clawatch.apis.telemetry import LOG_RANK, LogRecord
from clawatch.domain.events import Event, EventType, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis

PRODUCT = "gemini-cli"
SHOWN = "Gemini CLI"
PROVIDER = "google"
_PREFIX = "gemini_cli."


def map_log(record: LogRecord, now: Millis) -> Event | None:
    """The event a record stands for; None without a session, since then it could not be counted only once."""
    make = TABLE.get(record.name.removeprefix(_PREFIX))
    session = session_of(record.attributes, record.resource)
    if make is None or session is None:
        return None
    return make(_blank(record, session, now), record.attributes)


def _blank(record: LogRecord, session: str, now: Millis) -> Event:
    who = identify_session(PRODUCT, SHOWN, session, record.resource, record.attributes)
    return Event(
        agent_id=who.agent_id,
        type=EventType.HEARTBEAT,
        at=record.at or now,
        id=f"log:{hash_value([session, record.name, record.nanos, record.attributes])}",
        session_id=session,
        signal=Signal.LOG,
        rank=LOG_RANK,
        source=SOURCE,
        facts=who.facts,
    )


def _config(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(event, turn=Turn.CLOSED, is_hidden=True, is_progress=False)


def _user_prompt(event: Event, told: Mapping[str, Any]) -> Event:
    data = _data(role="user", length=count(told, "prompt_length"))
    return replace(
        event, type=EventType.MESSAGE, turn=Turn.OPEN, data={**data, **content(told, prompt="prompt")}
    )


def _api_request(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(event, turn=Turn.OPEN, is_hidden=True)


def _api_response(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(
        event,
        type=EventType.COST,
        usage=_usage(told),
        latency_ms=number(told, "duration_ms"),
        turn=Turn.CLOSED,
        data=_data(role=text(told, "role"), statusCode=count(told, "status_code")),
    )


def _usage(told: Mapping[str, Any]) -> Usage:
    """Input includes cached tokens, output leaves thoughts out; what tools put in is counted beside both."""
    return Usage(
        model=text(told, "model") or "",
        provider=PROVIDER,
        input=(count(told, "input_token_count") or 0) + (count(told, "tool_token_count") or 0),
        output=(count(told, "output_token_count") or 0) + (count(told, "thoughts_token_count") or 0),
        cache_read=count(told, "cached_content_token_count") or 0,
    )


def _api_error(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(
        event,
        type=EventType.ERROR,
        error=text(told, "error.message", "error", "error.type") or "the model's API refused the request",
        latency_ms=number(told, "duration_ms") or number(told, "duration"),
        data=_data(statusCode=count(told, "status_code"), model=text(told, "model_name", "model")),
        turn=Turn.CLOSED,
    )


def _tool_call(event: Event, told: Mapping[str, Any]) -> Event:
    name, ok = text(told, "function_name") or "tool", flag(told, "success")
    is_blocked = told.get("decision") == "reject"
    return replace(
        event,
        type=EventType.TOOL_CALL,
        phase=Phase.END,
        tool=Tool(name=name, args_hash=args_hash(told.get("function_args")), ok=ok, is_blocked=is_blocked),
        error=(text(told, "error", "error_type") or f"{name} failed") if ok is False else None,
        latency_ms=number(told, "duration_ms"),
        data={
            **_data(decision=text(told, "decision"), server=text(told, "mcp_server_name")),
            **content(told, arguments="function_args"),
        },
        turn=Turn.OPEN,
    )


def _loop_detected(event: Event, told: Mapping[str, Any]) -> Event:
    """Gemini's own finding, shown; what we find is the loop rule's business."""
    return replace(
        event, type=EventType.MESSAGE, data=_data(role="client", loopType=text(told, "loop_type"))
    )


def _ends(event: Event, told: Mapping[str, Any]) -> Event:
    return replace(event, turn=Turn.CLOSED, is_hidden=True)


TABLE: dict[str, Callable[[Event, Mapping[str, Any]], Event]] = {
    "config": _config,
    "user_prompt": _user_prompt,
    "api_request": _api_request,
    "api_response": _api_response,
    "api_error": _api_error,
    "tool_call": _tool_call,
    "loop_detected": _loop_detected,
    "conversation_finished": _ends,
    "agent.finish": _ends,
}


def _data(**told: str | int | None) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}
