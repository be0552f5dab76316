"""Gemini CLI's session files, ``~/.gemini/tmp/<project>/chats/session-*.jsonl``, as events.

A message is written anew, whole, whenever it grows: with its tokens, with each state of its calls. So everything has
an id made of the message's, and is counted once. Calls and prompts have no id that telemetry knows: where that speaks
for a session, they are left to it. A turn's end is not told: an answer without calls ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from msgspec import Struct
from msgspec.structs import replace

from clawatch.apis.attributes import count, text
from clawatch.apis.identity import MAX_SESSION_ID, identify_session
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
    plain_text,
    table,
    tables,
)
from clawatch.domain.events import Event, EventType, Facts, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.hashing import hash_value
from clawatch_plugins.gemini.logs import PRODUCT, PROVIDER, SHOWN

SESSIONS_SOURCE = "gemini"
WANTS = (b'"type":"', b'"sessionId":"')
_OVER = frozenset({"success", "error", "cancelled"})
_WAITS = "awaiting_approval"


class Known(Struct):
    """What a file's earlier lines have told."""

    session: str = ""
    is_aside: bool = False
    """A subagent's: its turns are not the session's."""
    is_introduced: bool = False


class Session:
    """Reads one file. See ``tailing.Reader``. ``sources`` tells who has spoken for an agent."""

    def __init__(self, path: str, note: str, sources: Callable[[str], tuple[str, ...]]) -> None:
        self._known = known_from(note, Known)
        self._known.is_aside = len(PurePath(path).parts) > 3
        self._known.session = self._known.session or PurePath(path).stem
        self._sources = sources

    @property
    def note(self) -> str:
        return note_of(self._known)

    def read(self, line: Line) -> Iterable[Event]:
        entry = entry_of(line.data)
        known, session = self._known, text(entry, "sessionId")
        if session is not None and len(session) <= MAX_SESSION_ID:
            known.session = session
        make, ident = _TYPES.get(str(entry.get("type"))), text(entry, "id")
        if make is None or ident is None:
            return ()
        who = identify_session(PRODUCT, SHOWN, known.session, {}, {})
        blank = Event(
            agent_id=who.agent_id,
            type=EventType.HEARTBEAT,
            at=instant(entry, "timestamp"),
            id=f"gemini:{known.session}:{ident}",
            session_id=known.session,
            signal=Signal.TRANSCRIPT,
            source=SESSIONS_SOURCE,
        )
        events = list(make(blank, entry))
        return self._settled(events, who.facts) if events else ()

    def _settled(self, events: list[Event], facts: Facts) -> list[Event]:
        known, spoken = self._known, self._sources(events[0].agent_id)
        if known.is_aside:
            events = [replace(event, turn=None) for event in events]
        if spoken and spoken != (SESSIONS_SOURCE,):
            return [event if event.usage is not None else _without_guess(event) for event in events]
        if not known.is_introduced:
            events[0] = replace(events[0], facts=facts)
        known.is_introduced = True
        return events


def _without_guess(event: Event) -> Event:
    return replace(
        event, type=EventType.HEARTBEAT, id=event.id or f"{event.call_id}:{event.phase}", call_id=None, tool=None,
        error=None, is_hidden=True,
    )  # fmt: skip


def _user(blank: Event, entry: Entry) -> Iterator[Event]:
    """Results of tools go back in the user's name; they are told with their calls."""
    content = entry.get("content")
    length = length_of(content)
    if length:
        yield replace(blank, type=EventType.MESSAGE, turn=Turn.OPEN, data={"role": "user", "length": length})


def _gemini(blank: Event, entry: Entry) -> Iterator[Event]:
    calls = tables(entry, "toolCalls")
    usage = _usage(entry)
    if usage is not None:
        yield replace(blank, type=EventType.COST, id=f"{blank.id}:usage", rank=RANK, usage=usage, is_hidden=True)
    for call in calls:
        yield from _call(blank, call)
    if usage is not None and not calls:
        yield replace(blank, turn=Turn.CLOSED, is_hidden=True)


def _usage(entry: Entry) -> Usage | None:
    """Input includes cached tokens, output leaves thoughts out; what tools put in is counted beside both."""
    told = table(entry, "tokens")
    used = Usage(
        model=text(entry, "model") or "",
        provider=PROVIDER,
        input=(count(told, "input") or 0) + (count(told, "tool") or 0),
        output=(count(told, "output") or 0) + (count(told, "thoughts") or 0),
        cache_read=count(told, "cached") or 0,
    )
    return used if used.total else None


def _call(blank: Event, call: Entry) -> Iterator[Event]:
    ident, name, status = text(call, "id"), text(call, "name") or "tool", text(call, "status") or ""
    if ident is None:
        return
    event = replace(
        blank, at=instant(call, "timestamp") or blank.at, type=EventType.TOOL_CALL, id=None, call_id=ident,
        tool=Tool(name=name, args_hash=hash_value(call["args"]) if "args" in call else None), turn=Turn.OPEN,
    )  # fmt: skip
    yield replace(event, phase=Phase.START, turn=Turn.WAITING if status == _WAITS else Turn.OPEN)
    if status in _OVER and event.tool is not None:
        result, is_failed = call.get("result"), status == "error"
        tool = replace(
            event.tool, ok=None if status == "cancelled" else not is_failed, is_blocked=status == "cancelled",
            result_hash=None if result is None else hash_value(result),
        )  # fmt: skip
        yield replace(event, phase=Phase.END, tool=tool, error=f"{name} failed" if is_failed else None)


def _error(blank: Event, entry: Entry) -> Iterator[Event]:
    said = plain_text(entry.get("content")) or "Gemini CLI reports an error"
    yield replace(blank, type=EventType.ERROR, error=said[:MAX_ERROR], turn=Turn.CLOSED)


_TYPES: dict[str, Callable[[Event, Entry], Iterator[Event]]] = {
    "user": _user,
    "gemini": _gemini,
    "error": _error,
}
