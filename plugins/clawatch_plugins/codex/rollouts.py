"""Codex's rollouts, ``~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl``: each kind of line by a line of the table.

They tell turns exactly and also what fails before any telemetry is sent. Calls of tools go by the ids that telemetry
gives them. Prompts and errors have no such id: where telemetry speaks for the session, they are left to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from clawatch.apis.attributes import count, number, text
from clawatch.apis.contents import args_hash
from clawatch.apis.identity import MAX_SESSION_ID
from clawatch.apis.tailing import Line
from clawatch.apis.transcripts import (
    MAX_ERROR,
    RANK,
    Entry,
    entry_of,
    instant,
    known_from,
    length_of,
    note_of,
    table,
)
from clawatch.domain.events import Event, EventType, Facts, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.hashing import hash_value
from clawatch_plugins.codex.identity import PRODUCT, whose

SESSIONS_SOURCE = "codex"
WANTS = (
    b'"session_meta"', b'"turn_context"', b'_call', b'"token_', b'"task_', b'"turn_', b'"error"', b'"user_message"',
    b'"item_completed"', b'_approval_request"',
)  # fmt: skip
_UUID = 36
_MOST_CALLS = 32
_COPIED_WITHIN = 2_000
"""Milliseconds after its start in which a forked session writes down what it takes over."""
_EXITED = re.compile(r"exited with code (-?\d{1,9})|\"exit_code\":\s*(-?\d{1,9})")


class Known(Struct):
    """What a file's earlier lines have told."""

    session: str = ""
    model: str = ""
    turn: str = ""
    project: str = ""
    started: int = 0
    is_fork: bool = False
    has_records: bool = False
    """Usage is told call by call, so that the running totals beside it add nothing."""
    has_items: bool = False
    totals: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Input, output, read from and written to the cache."""
    calls: dict[str, str] = field(default_factory=dict)
    is_introduced: bool = False


class Rollout:
    """Reads one file. See ``tailing.Reader``. ``sources`` tells who has spoken for an agent."""

    def __init__(self, path: str, note: str, sources: Callable[[str], tuple[str, ...]]) -> None:
        self._known = known_from(note, Known)
        self._known.session = self._known.session or PurePath(path).stem[-_UUID:]
        self._sources = sources

    @property
    def note(self) -> str:
        return note_of(self._known)

    def read(self, line: Line) -> Iterable[Event]:
        entry = entry_of(line.data)
        payload = table(entry, "payload")
        kind = str(entry.get("type"))
        make = _TABLE.get(str(payload.get("type"))) if kind in ("response_item", "event_msg") else _TABLE.get(kind)
        if make is None:
            return ()
        known = self._known
        who = whose({}, {}, PRODUCT, known.session)
        blank = Event(
            agent_id=who.agent_id,
            type=EventType.HEARTBEAT,
            at=instant(entry, "timestamp"),
            id=f"rollout:{known.session}:{line.offset}",
            session_id=known.session,
            signal=Signal.TRANSCRIPT,
            source=SESSIONS_SOURCE,
        )
        events = list(make(blank, payload, known))
        return self._settled(events, who.facts) if events else ()

    def _settled(self, events: list[Event], facts: Facts) -> list[Event]:
        spoken = self._sources(events[0].agent_id)
        if spoken and spoken != (SESSIONS_SOURCE,):
            events = [_without_guess(event) for event in events]
        elif not self._known.is_introduced:
            labels = {"project": self._known.project} if self._known.project else None
            events[0] = replace(events[0], facts=replace(facts, labels=labels))
        self._known.is_introduced = True
        return events


def _without_guess(event: Event) -> Event:
    """Telemetry tells prompts and errors too, under no id that both would know."""
    if event.type not in (EventType.MESSAGE, EventType.ERROR):
        return event
    return replace(event, type=EventType.HEARTBEAT, error=None, is_hidden=True)


def _session_meta(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    session = text(told, "id", "session_id")
    if session is not None and len(session) <= MAX_SESSION_ID and not known.started:
        known.session = session
        known.started = blank.at
        known.is_fork = text(told, "forked_from_id") is not None
        known.project = PurePath(text(told, "cwd") or "").name[:80]
    return iter(())


def _turn_context(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    known.model = text(told, "model") or known.model
    return iter(())


def _prompt(blank: Event, length: int) -> Event:
    return replace(blank, type=EventType.MESSAGE, turn=Turn.OPEN, data={"role": "user", "length": length})


def _user_message(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    if not known.has_items:
        yield _prompt(blank, length_of(told.get("message")))


def _item(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    known.has_items = True
    item = table(told, "item")
    if item.get("type") == "UserMessage":
        yield _prompt(blank, length_of(item.get("content")))
    elif item.get("type") == "CommandExecution" and text(item, "id") is not None:
        code = item.get("exit_code")
        ok = code == 0 if isinstance(code, int) else None
        took = table(item, "duration")
        seconds, nanos = number(took, "secs"), number(took, "nanos")
        event = _ended(blank, str(text(item, "id")), known, ok, item.get("aggregated_output"))
        yield replace(event, latency_ms=None if seconds is None else seconds * 1e3 + (nanos or 0) / 1e6)


def _call(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    call = text(told, "call_id")
    if call is None:
        return
    name = (text(told, "name") or str(told.get("type")).removesuffix("_call"))[:200]
    known.calls[call] = name
    while len(known.calls) > _MOST_CALLS:
        del known.calls[next(iter(known.calls))]
    arguments = told.get("arguments", told.get("input", told.get("action")))
    yield replace(
        blank, type=EventType.TOOL_CALL, id=None, call_id=call, phase=Phase.START,
        tool=Tool(name=name, args_hash=args_hash(arguments)), turn=Turn.OPEN,
    )  # fmt: skip


def _output(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    call = text(told, "call_id")
    if call is not None:
        output = told.get("output")
        ok = output.get("success") if isinstance(output, dict) else None
        said = output if isinstance(output, str) else ""
        exited = _EXITED.search(said[:2_000])
        if exited is not None:
            ok = int(exited[1] or exited[2]) == 0
        yield _ended(blank, call, known, ok if isinstance(ok, bool) else None, output)


def _ended(blank: Event, call: str, known: Known, ok: bool | None, result: Any) -> Event:
    name = known.calls.get(call, "tool")
    return replace(
        blank, type=EventType.TOOL_CALL, id=None, call_id=call, phase=Phase.END,
        tool=Tool(name=name, ok=ok, result_hash=None if result is None else hash_value(result)),
        error=f"{name} failed" if ok is False else None, turn=Turn.OPEN,
    )  # fmt: skip


def _record(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    """The usage of one answer. A forked session repeats those of the one it came from."""
    known.has_records = True
    if text(told, "thread_id") not in (None, known.session):
        return
    usage = _usage(table(told, "usage"), known)
    if usage.total:
        yield _spent(blank, usage, text(told, "response_id"))


def _token_count(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    """The running totals; what they have grown by since is one answer's usage."""
    totals = _usage(table(table(told, "info"), "total_token_usage"), known)
    if not totals.total or known.has_records:
        return
    before = known.totals
    now = known.totals = (totals.input, totals.output, totals.cache_read, totals.cache_write)
    if known.is_fork and blank.at - known.started < _COPIED_WITHIN:
        return
    if any(new < old for new, old in zip(now, before, strict=True)):
        before = (0, 0, 0, 0)
    grown = [new - old for new, old in zip(now, before, strict=True)]
    if grown[0] or grown[1]:
        usage = Usage(model=known.model, input=grown[0], output=grown[1], cache_read=grown[2], cache_write=grown[3])
        yield _spent(blank, usage, None)


def _spent(blank: Event, usage: Usage, response: str | None) -> Event:
    ident = blank.id if response is None else f"rollout:{blank.session_id}:{response}"
    return replace(blank, type=EventType.COST, id=ident, rank=RANK, usage=usage, is_hidden=True)


def _usage(told: Entry, known: Known) -> Usage:
    """Its input includes cached tokens, its output those of reasoning."""
    return Usage(
        model=known.model,
        input=count(told, "input_tokens") or 0,
        output=count(told, "output_tokens") or 0,
        cache_read=count(told, "cached_input_tokens") or 0,
        cache_write=count(told, "cache_write_input_tokens") or 0,
    )


def _began(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    known.turn = text(told, "turn_id") or ""
    yield replace(blank, turn=Turn.OPEN, is_hidden=True)


def _waits(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    data = {"status": "waiting", "reason": "approval"}
    yield replace(blank, type=EventType.STATUS_CHANGE, turn=Turn.WAITING, data=data)


def _ended_turn(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    if told.get("error"):
        yield from _failed(blank, {**told, **table(told, "error")}, known)
    else:
        yield replace(blank, turn=Turn.CLOSED, is_hidden=True, latency_ms=number(told, "duration_ms"))


def _failed(blank: Event, told: Entry, known: Known) -> Iterator[Event]:
    """Told where it happens and again at the turn's end."""
    turn = text(told, "turn_id") or known.turn
    yield replace(
        blank,
        type=EventType.ERROR,
        call_id=f"failure:{turn}" if turn else None,
        error=(text(told, "message") or "the turn failed")[:MAX_ERROR],
        turn=Turn.CLOSED,
    )


_TABLE: dict[str, Callable[[Event, Entry, Known], Iterator[Event]]] = {
    "session_meta": _session_meta,
    "turn_context": _turn_context,
    "user_message": _user_message,
    "item_completed": _item,
    "function_call": _call,
    "custom_tool_call": _call,
    "local_shell_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "token_usage_record": _record,
    "token_count": _token_count,
    "task_started": _began,
    "turn_started": _began,
    "exec_approval_request": _waits,
    "apply_patch_approval_request": _waits,
    "task_complete": _ended_turn,
    "turn_complete": _ended_turn,
    "turn_aborted": _ended_turn,
    "error": _failed,
}
