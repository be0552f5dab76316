"""pi's session files, ``~/.pi/agent/sessions/--<folder>--/<time>_<id>.jsonl``, as events.

A session is a tree of entries; one that was forked begins with copies of what came before, which carry the times and
ids of the originals and are told apart by being older than their file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from msgspec import Struct
from msgspec.structs import replace

from clawatch.apis.attributes import text
from clawatch.apis.identity import MAX_SESSION_ID, identify_session
from clawatch.apis.pi_messages import ENDS, usage_of
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
from clawatch.domain.events import Event, EventType, Phase, Signal, Tool, Turn
from clawatch.domain.hashing import hash_value

PRODUCT = "pi"
SOURCE = "pi"
WANTS = (b'"type":"message"', b'"type":"session"', b'"type":"compaction"')


class Known(Struct):
    """What a file's earlier lines have told."""

    session: str = ""
    project: str = ""
    started: int = 0
    is_fork: bool = False
    is_introduced: bool = False


class Session:
    """Reads one file. See ``tailing.Reader``."""

    def __init__(self, path: str, note: str) -> None:
        self._known = known_from(note, Known)
        self._known.session = self._known.session or PurePath(path).stem.rpartition("_")[2]

    @property
    def note(self) -> str:
        return note_of(self._known)

    def read(self, line: Line) -> Iterable[Event]:
        entry = entry_of(line.data)
        known, at = self._known, instant(entry, "timestamp")
        if entry.get("type") == "session":
            _open(entry, at, known)
            return ()
        if known.is_fork and at < known.started:
            return ()
        who = identify_session(PRODUCT, PRODUCT, known.session, {}, {})
        blank = Event(
            agent_id=who.agent_id,
            type=EventType.HEARTBEAT,
            at=at,
            id=f"pi:{known.session}:{text(entry, 'id') or line.offset}",
            session_id=known.session,
            signal=Signal.TRANSCRIPT,
            source=SOURCE,
        )
        events = list(_events(blank, entry))
        if events and not known.is_introduced:
            known.is_introduced = True
            labels = {"project": known.project} if known.project else None
            events[0] = replace(events[0], facts=replace(who.facts, labels=labels))
        return events


def _open(entry: Entry, at: int, known: Known) -> None:
    session = text(entry, "id")
    if session is not None and len(session) <= MAX_SESSION_ID:
        known.session = session
    known.started = at
    known.is_fork = text(entry, "parentSession") is not None
    known.project = PurePath(text(entry, "cwd") or "").name[:80]


def _events(blank: Event, entry: Entry) -> Iterator[Event]:
    if entry.get("type") == "compaction":
        yield replace(blank, is_hidden=True)
        return
    message = table(entry, "message")
    make = _ROLES.get(str(message.get("role")))
    if make is not None:
        yield from make(blank, message)


def _user(blank: Event, message: Entry) -> Iterator[Event]:
    data = {"role": "user", "length": length_of(message.get("content"))}
    yield replace(blank, type=EventType.MESSAGE, turn=Turn.OPEN, data=data)


def _assistant(blank: Event, message: Entry) -> Iterator[Event]:
    usage, stop = usage_of(message), message.get("stopReason")
    if usage is not None:
        yield replace(blank, type=EventType.COST, id=f"{blank.id}:usage", rank=RANK, usage=usage, is_hidden=True)
    for part in tables(message, "content"):
        call = text(part, "id") if part.get("type") == "toolCall" else None
        if call is not None:
            args = hash_value(part["arguments"]) if "arguments" in part else None
            yield replace(
                blank, type=EventType.TOOL_CALL, id=None, call_id=call, phase=Phase.START,
                tool=Tool(name=text(part, "name") or "tool", args_hash=args), turn=Turn.OPEN,
            )  # fmt: skip
    if stop == "error":
        said = text(message, "errorMessage") or "the model's API refused the request"
        yield replace(blank, type=EventType.ERROR, error=said[:MAX_ERROR], turn=Turn.CLOSED)
    elif stop in ENDS:
        yield replace(blank, turn=Turn.CLOSED, is_hidden=True)


def _tool_result(blank: Event, message: Entry) -> Iterator[Event]:
    call = text(message, "toolCallId")
    if call is None:
        return
    name, is_failed = text(message, "toolName") or "tool", message.get("isError") is True
    said = plain_text(message.get("content"))
    yield replace(
        blank, type=EventType.TOOL_CALL, id=None, call_id=call, phase=Phase.END,
        tool=Tool(name=name, ok=not is_failed, result_hash=hash_value(message.get("content"))),
        error=(said or f"{name} failed")[:MAX_ERROR] if is_failed else None, turn=Turn.OPEN,
    )  # fmt: skip


_ROLES: dict[str, Callable[[Event, Entry], Iterator[Event]]] = {
    "user": _user,
    "assistant": _assistant,
    "toolResult": _tool_result,
}
