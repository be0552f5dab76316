"""Claude Code's transcripts, ``~/.claude/projects/**/*.jsonl``, as events: each kind of line by a line of the table.

Their format is nobody's promise and changes between versions, so what is not understood is passed over. They tell
what hooks and telemetry tell too, under the same call ids, so that it counts once; their usage counts only in
sessions of which no telemetry tells any. It leaves out what runs beside the conversation (titles, summaries).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from clawatch.apis.attributes import count, dollars, text
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
from clawatch_plugins.claude_code.identity import (
    KIND,
    MAX_SESSION_ID,
    TRANSCRIPTS_SOURCE,
    agent_of,
    call_of_failure,
    call_of_prompt,
    name_of,
)
from clawatch_plugins.claude_code.usage import PROVIDER

WANTS = (b'"type":"assistant"', b'"type":"user"', b'"type":"system"', b'"type": "assistant"', b'"type": "user"')
"""Every other kind of line carries nothing."""
_ENDS = frozenset({"end_turn", "stop_sequence", "max_tokens", "refusal", "model_context_window_exceeded"})
_TURN_IS_OVER = frozenset({"stop_hook_summary", "turn_duration"})
_INTERRUPTED = "[Request interrupted by user"
_DENIED = "The user doesn't want to"
_NO_PROMPTS = ("<command-name>", "<command-message>", "<local-command", "<bash-", "Caveat: ")
"""Beginnings of what Claude Code writes in the user's name around commands that need no model."""
_MOST_CALLS = 32
_MOST_ANSWERS = 50_000


class Known(Struct):
    """What a file's earlier lines have told."""

    prompt: str = ""
    """The prompt being answered."""
    message: str = ""
    """The newest answer: it is told in several lines, each with the usage so far."""
    told: int = 0
    """Output tokens of it that have been counted."""
    calls: dict[str, str] = field(default_factory=dict)
    """Tools under way, by the ids of their calls."""
    is_introduced: bool = False


class Seen:
    """Which session first told an answer. Older versions copy all that was said when they resume a session."""

    def __init__(self, capacity: int = _MOST_ANSWERS) -> None:
        self._sessions: dict[str, str] = {}
        self._capacity = capacity

    def is_copy(self, answer: str, session: str) -> bool:
        """Whether another session has told it before."""
        first = self._sessions.setdefault(answer, session)
        if len(self._sessions) > self._capacity:
            del self._sessions[next(iter(self._sessions))]
        return first != session


class Heard(Struct, frozen=True):
    """What others know of sessions."""

    agent: str | None
    """The agent that all sessions are, where its owner says so."""
    is_hooked: Callable[[str, str], bool]
    """Whether the hooks of an agent's session report: they know its turns exactly."""
    is_known: Callable[[str], bool]
    """Whether an agent is known, so that its telemetry has told what it is."""
    answers: Seen


class Transcript:
    """Reads one file. See ``tailing.Reader``."""

    def __init__(self, path: str, note: str, heard: Heard) -> None:
        self._path = PurePath(path)
        self._known = known_from(note, Known)
        self._heard = heard

    @property
    def note(self) -> str:
        return note_of(self._known)

    def read(self, line: Line) -> Iterable[Event]:
        entry = entry_of(line.data)
        make = _TABLE.get(str(entry.get("type")))
        if make is None or entry.get("isMeta") is True or "forkedFrom" in entry:
            return ()
        session = text(entry, "sessionId") or self._path.stem
        if len(session) > MAX_SESSION_ID:
            return ()
        agent_id = self._heard.agent or agent_of(session)
        blank = Event(
            agent_id=agent_id,
            type=EventType.HEARTBEAT,
            at=instant(entry, "timestamp"),
            id=f"transcript:{session}:{text(entry, 'uuid') or line.offset}",
            session_id=session,
            signal=Signal.TRANSCRIPT,
            source=TRANSCRIPTS_SOURCE,
        )
        if entry.get("type") == "assistant" and self._heard.answers.is_copy(_answer_of(blank, entry), session):
            return ()
        events = list(make(blank, entry, self._known))
        return self._introduced(self._settled(events, entry), entry)

    def _settled(self, events: list[Event], entry: Entry) -> list[Event]:
        """Without turns where the hooks know better, or where a subagent works: the turn is not its own."""
        is_hooked = bool(events) and self._heard.is_hooked(events[0].agent_id, events[0].session_id or "")
        is_aside = entry.get("isSidechain") is True or "subagents" in self._path.parts
        if not (is_hooked or is_aside):
            return events
        return [
            replace(
                event, turn=None,
                tool=replace(event.tool, result_hash=None) if is_hooked and event.tool is not None else event.tool,
            )
            for event in events
            if not (is_aside and event.type is EventType.MESSAGE)
        ]  # fmt: skip

    def _introduced(self, events: list[Event], entry: Entry) -> list[Event]:
        if not events or self._known.is_introduced:
            return events
        self._known.is_introduced = True
        first = events[0]
        if self._heard.is_known(first.agent_id):
            return events
        folder = PurePath(text(entry, "cwd") or "").name
        facts = Facts(
            name=self._heard.agent or name_of(first.session_id or ""),
            kind=KIND,
            group=KIND,
            labels={"project": folder[:80]} if folder else None,
        )
        return [replace(first, facts=facts), *events[1:]]


def _user(blank: Event, entry: Entry, known: Known) -> Iterator[Event]:
    content = table(entry, "message").get("content")
    results = [part for part in tables(table(entry, "message"), "content") if part.get("type") == "tool_result"]
    if results:
        for part in results:
            yield from _tool_end(blank, part, known)
        return
    said = plain_text(content)
    if said.startswith(_INTERRUPTED):
        yield replace(blank, turn=Turn.CLOSED, is_hidden=True)
    elif said and not said.startswith(_NO_PROMPTS) and entry.get("isCompactSummary") is not True:
        known.prompt = text(entry, "promptId") or ""
        yield replace(
            blank,
            type=EventType.MESSAGE,
            call_id=call_of_prompt(known.prompt or None),
            data={"role": "user", "length": length_of(content)},
            turn=Turn.OPEN,
        )


def _tool_end(blank: Event, part: Entry, known: Known) -> Iterator[Event]:
    call = text(part, "tool_use_id")
    if call is None:
        return
    said = plain_text(part.get("content"))
    is_error, is_denied = part.get("is_error") is True, said.startswith(_DENIED)
    is_failed = is_error and not is_denied
    yield replace(
        blank,
        type=EventType.TOOL_CALL,
        id=None,
        call_id=call,
        phase=Phase.END,
        tool=Tool(
            name=known.calls.pop(call, "tool"),
            result_hash=hash_value(part.get("content")),
            ok=None if is_denied else not is_error,
            is_blocked=is_denied,
        ),
        error=(said or "the tool failed")[:MAX_ERROR] if is_failed else None,
        turn=Turn.CLOSED if is_denied else Turn.OPEN,
    )


def _assistant(blank: Event, entry: Entry, known: Known) -> Iterator[Event]:
    message = table(entry, "message")
    if entry.get("isApiErrorMessage") is True:
        yield _failure(blank, entry, message, known)
        return
    usage = _usage(blank, entry, message, known)
    if usage is not None:
        yield usage
    for part in tables(message, "content"):
        if part.get("type") == "tool_use" and text(part, "id") is not None:
            yield _tool_start(blank, part, known)
    if message.get("stop_reason") in _ENDS:
        yield replace(blank, turn=Turn.CLOSED, is_hidden=True)


def _tool_start(blank: Event, part: Entry, known: Known) -> Event:
    call, name = str(text(part, "id")), text(part, "name") or "tool"
    known.calls[call] = name[:200]
    while len(known.calls) > _MOST_CALLS:
        del known.calls[next(iter(known.calls))]
    return replace(
        blank,
        type=EventType.TOOL_CALL,
        id=None,
        call_id=call,
        phase=Phase.START,
        tool=Tool(name=name, args_hash=hash_value(part["input"]) if "input" in part else None),
        turn=Turn.OPEN,
    )


def _failure(blank: Event, entry: Entry, message: Entry, known: Known) -> Event:
    reason = text(entry, "apiErrorType", "error")
    data: dict[str, Any] = {"statusCode": count(entry, "apiErrorStatus"), "reason": reason}
    return replace(
        blank,
        type=EventType.ERROR,
        call_id=call_of_failure(known.prompt or None),
        error=(plain_text(message.get("content")) or "the model's API refused the request")[:MAX_ERROR],
        data={key: value for key, value in data.items() if value is not None},
        turn=Turn.CLOSED,
    )


def _usage(blank: Event, entry: Entry, message: Entry, known: Known) -> Event | None:
    """What this line adds: an answer's first line tells its usage, further ones repeat it with more output."""
    told = table(message, "usage")
    output = count(told, "output_tokens")
    if output is None:
        return None
    name = _answer_of(blank, entry)
    is_further = name == known.message
    if is_further and output <= known.told:
        return None
    usage = Usage(output=output - known.told) if is_further else _whole(told, output, entry)
    known.message, known.told = name, output
    return replace(
        blank,
        type=EventType.COST,
        id=f"transcript:{blank.session_id}:{name}" + (f":{output}" if is_further else ""),
        rank=RANK,
        usage=replace(usage, model=(text(message, "model") or "").partition("[")[0], provider=PROVIDER),
        is_hidden=True,
    )


def _answer_of(blank: Event, entry: Entry) -> str:
    return f"{text(table(entry, 'message'), 'id') or blank.id}:{text(entry, 'requestId') or ''}"


def _whole(told: Mapping[str, Any], output: int, entry: Entry) -> Usage:
    cache_read = count(told, "cache_read_input_tokens") or 0
    cache_write = count(told, "cache_creation_input_tokens") or 0
    return Usage(
        cost=dollars(entry.get("costUSD")),  # told until version 1.0.8
        input=(count(told, "input_tokens") or 0) + cache_read + cache_write,
        output=output,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=count(table(told, "cache_creation"), "ephemeral_1h_input_tokens") or 0,
    )


def _system(blank: Event, entry: Entry, known: Known) -> Iterator[Event]:
    if entry.get("subtype") in _TURN_IS_OVER:
        yield replace(blank, turn=Turn.CLOSED, is_progress=False, is_hidden=True)


_TABLE: dict[str, Callable[[Event, Entry, Known], Iterator[Event]]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}
