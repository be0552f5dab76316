"""Claude Code's log events (https://code.claude.com/docs/en/monitoring-usage), each by a line of the table.

What is not in the table is a sign of life and nothing else. Prompts, answers, arguments and outputs are not
kept: of arguments there is a hash, of the rest a length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from clawatch.apis.attributes import count, flag, number, text
from clawatch.apis.contents import args_hash
from clawatch.apis.recent import Recent
from clawatch.apis.telemetry import LogRecord
from clawatch.domain.events import Event, EventType, Phase, Signal, Tool, Turn
from clawatch_plugins.claude_code.identity import OTLP_SOURCE, Who, call_of_failure, call_of_prompt
from clawatch_plugins.claude_code.sessions import Request, Session
from clawatch_plugins.claude_code.usage import usage_of

RANK = 3
_PREFIX = "claude_code."
_ENDS_TURNS = ("sdk", "repl_main_thread", "agent")
"""Beginnings of ``query_source`` for requests that carry a conversation on. Titles, summaries and the like run
beside it."""


class Working:
    """The requests that went on with a call of a tool: those remembered, and those of the records being mapped."""

    def __init__(self, known: Recent[Request]) -> None:
        self._known = known
        self._new: set[Request] = set()

    def add(self, request: Request) -> None:
        self._new.add(request)

    def __contains__(self, request: Request) -> bool:
        return request in self._new or request in self._known


def work_of(event: Event) -> Request | None:
    """The request that a tool's call goes on, as the event of that call tells it."""
    request = event.data.get("requestId") if event.type is EventType.TOOL_CALL else None
    return (_session_of(event), request) if isinstance(request, str) else None


def map_log(record: LogRecord, who: Who, working: Working) -> Event | None:
    """The event a log record stands for; None for a mere sign of life."""
    make = TABLE.get(_name(record))
    return None if make is None else make(_blank(record, who), record.attributes, working)


def _name(record: LogRecord) -> str:
    name = record.name or (record.body if isinstance(record.body, str) else "")
    return name.removeprefix(_PREFIX)


def _blank(record: LogRecord, who: Who) -> Event:
    return Event(
        agent_id=who.agent_id,
        type=EventType.HEARTBEAT,
        at=record.at,
        id=_id(record, who),
        session_id=who.session_id,
        signal=Signal.LOG,
        rank=RANK,
        source=OTLP_SOURCE,
        facts=who.facts,
    )


def _id(record: LogRecord, who: Who) -> str | None:
    """Exporters send again what was not acknowledged; a resumed session counts from 0 again, at another time."""
    sequence = count(record.attributes, "event.sequence")
    return None if sequence is None else f"log:{who.session_id}:{record.at}:{sequence}"


def _user_prompt(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    return replace(
        event,
        type=EventType.MESSAGE,
        call_id=call_of_prompt(text(told, "prompt.id")),
        data=_data(role="user", length=count(told, "prompt_length"), command=text(told, "command_name")),
        turn=Turn.OPEN,
    )


def _assistant_response(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    return replace(
        event,
        type=EventType.MESSAGE,
        data=_data(role="assistant", length=count(told, "response_length")),
        is_hidden=True,
    )


def _api_request(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    request = text(told, "request_id")
    is_answered = (_session_of(event), request) not in working and _carries_on(told)
    return replace(
        event,
        type=EventType.COST,
        call_id=request,
        usage=usage_of(told),
        latency_ms=number(told, "duration_ms"),
        data=_data(querySource=text(told, "query_source"), speed=text(told, "speed"), effort=text(told, "effort")),
        turn=Turn.CLOSED if is_answered else None,
    )


def _api_error(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    ends_turn = _carries_on(told)
    return replace(
        event,
        type=EventType.ERROR,
        call_id=call_of_failure(text(told, "prompt.id")) if ends_turn else text(told, "request_id"),
        error=text(told, "error") or "the model's API refused the request",
        latency_ms=number(told, "duration_ms"),
        data=_data(
            statusCode=count(told, "status_code"), attempt=count(told, "attempt"), model=text(told, "model"),
            querySource=text(told, "query_source"),
        ),
        turn=Turn.CLOSED if ends_turn else None,
    )


def _session_of(event: Event) -> Session:
    return (event.agent_id, event.session_id or "")


def _carries_on(told: Mapping[str, Any]) -> bool:
    return (text(told, "query_source") or _ENDS_TURNS[0]).startswith(_ENDS_TURNS)


def _tool_decision(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    request = text(told, "request_id")
    if request is not None:
        working.add((_session_of(event), request))
    is_blocked = told.get("decision") == "reject"
    return replace(
        event,
        type=EventType.TOOL_CALL,
        call_id=text(told, "tool_use_id"),
        phase=Phase.START,
        tool=_tool(told, is_blocked=is_blocked),
        data=_data(decision=text(told, "decision"), decidedBy=text(told, "source"), requestId=request),
        turn=None if is_blocked else Turn.OPEN,
    )


def _tool_result(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    ok = flag(told, "success")
    return replace(
        event,
        type=EventType.TOOL_CALL,
        call_id=text(told, "tool_use_id"),
        phase=Phase.END,
        tool=_tool(told, ok=ok),
        error=text(told, "error", "error_type") if ok is False else None,
        latency_ms=number(told, "duration_ms"),
        data=_data(errorType=text(told, "error_type")),
        turn=Turn.OPEN,
    )


def _tool(told: Mapping[str, Any], ok: bool | None = None, is_blocked: bool = False) -> Tool:
    return Tool(
        name=text(told, "tool_name") or "tool",
        args_hash=args_hash(told.get("tool_input")),
        args_size=count(told, "tool_input_size_bytes"),
        result_size=count(told, "tool_result_size_bytes"),
        ok=ok,
        is_blocked=is_blocked,
    )


def _work(event: Event, told: Mapping[str, Any], working: Working) -> Event:
    """Something went on that nobody needs to read."""
    return replace(event, is_hidden=True)


TABLE: dict[str, Callable[[Event, Mapping[str, Any], Working], Event]] = {
    "user_prompt": _user_prompt,
    "assistant_response": _assistant_response,
    "api_request": _api_request,
    "api_error": _api_error,
    "api_refusal": _work,
    "tool_decision": _tool_decision,
    "tool_result": _tool_result,
    "subagent_completed": _work,
    "compaction": _work,
}
"""``api_retries_exhausted`` is missing on purpose: it comes with ``api_error``."""


def _data(**told: str | int | None) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}
