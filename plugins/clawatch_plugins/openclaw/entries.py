"""A transcript's entries as events. One table for files, databases and what the gateway sends of them.

The entries are a tree of messages with what happened between them. Prompts, answers and outputs are not kept: of
arguments and results there is a hash, of the rest a length. What is not in the table is nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from clawatch.apis.pi_messages import ENDS, usage_of
from clawatch.apis.transcripts import MAX_ERROR
from clawatch.domain.events import Event, EventType, Signal, Turn
from clawatch.domain.time import Millis
from clawatch_plugins.openclaw.calls import Calls
from clawatch_plugins.openclaw.identity import SOURCE, Where, facts_of
from clawatch_plugins.openclaw.reading import Told, instant, items, table, whole, word
from clawatch_plugins.openclaw.tools import tool_ended, tool_started

RANK = 5
"""Above whatever OpenTelemetry reports of the same session."""
_SESSIONS = 4_096
_HEARTBEATS = ("HEARTBEAT.md", "HEARTBEAT_OK")
_MIRRORS = frozenset({"delivery-mirror", "gateway-injected"})
"""Models that answers go by that OpenClaw has written itself."""


class Transcripts:
    """Maps entries; remembers calls that are under way, and which sessions began as copies of others."""

    def __init__(self, keep_text: bool = False, copied: Millis = 0) -> None:
        self.calls = Calls()
        self._keep_text = keep_text
        self._copied_before = copied
        self._copied: OrderedDict[tuple[str, str], Millis] = OrderedDict()
        """For sessions forked from another: when. What is older was copied, and has been counted there."""

    def map(self, where: Where, entry: Told, recorded_at: Millis) -> list[Event]:
        """The events an entry stands for. ``recorded_at``: for entries that do not say when they were written."""
        kind = entry.get("type")
        if kind == "session":
            self._open(where, entry)
            return []
        message = table(entry, "message")
        at = instant(entry, "timestamp") or instant(message, "timestamp") or recorded_at
        if at < self._copied.get((where.agent_id, where.session_id), self._copied_before):
            return []
        blank = _blank(where, word(entry, "id"), at)
        if kind == "message":
            return list(self.map_message(where, message, blank))
        if kind == "compaction":
            return [replace(blank, is_hidden=True, data={"compacted": whole(entry, "tokensBefore")})]
        return []

    def map_message(self, where: Where, message: Told, blank: Event) -> Iterator[Event]:
        make = _ROLES.get(word(message, "role"))
        return iter(()) if make is None else make(self, where, message, blank)

    def _open(self, where: Where, entry: Told) -> None:
        started = instant(entry, "timestamp")
        if not started or not entry.get("parentSession"):
            return
        self._copied[where.agent_id, where.session_id] = started
        if len(self._copied) > _SESSIONS:
            self._copied.popitem(last=False)

    def _user(self, where: Where, message: Told, blank: Event) -> Iterator[Event]:
        said = _text(message)
        role = "heartbeat" if any(mark in said for mark in _HEARTBEATS) else "user"
        if role == "user" and where.is_automated:
            role = "automation"
        data: dict[str, Any] = {"role": role, "length": len(said)}
        if self._keep_text:
            data["text"] = said[:2_000]
        yield replace(blank, type=EventType.MESSAGE, turn=Turn.OPEN, data=data)

    def _assistant(self, where: Where, message: Told, blank: Event) -> Iterator[Event]:
        if word(message, "model") in _MIRRORS:
            return
        yield self._model_call(where, message, blank)
        for index, block in enumerate(items(message, "content")):
            if isinstance(block, dict) and block.get("type") == "toolCall":
                yield tool_started(self.calls, blank, block, index)

    def _model_call(self, where: Where, message: Told, blank: Event) -> Event:
        stopped = word(message, "stopReason")
        usage = usage_of(message, where.model)
        data = {key: message[key] for key in ("api", "provider", "stopReason") if isinstance(message.get(key), str)}
        event = replace(
            blank,
            type=EventType.MESSAGE if usage is None else EventType.COST,
            call_id=_model_call_id(message),
            usage=usage,
            rank=RANK,
            turn=Turn.CLOSED if stopped in ENDS else Turn.OPEN,
            data={"role": "assistant", **{key: value[:200] for key, value in data.items()}},
            is_hidden=usage is None,
        )
        if stopped != "error":
            return event
        return replace(event, type=EventType.ERROR, error=word(message, "errorMessage", limit=MAX_ERROR)
                       or "the model call failed", is_hidden=False)

    def _tool_result(self, where: Where, message: Told, blank: Event) -> Iterator[Event]:
        yield tool_ended(self.calls, blank, message)


_ROLES: dict[str, Callable[[Transcripts, Where, Told, Event], Iterator[Event]]] = {
    "user": Transcripts._user,
    "assistant": Transcripts._assistant,
    "toolResult": Transcripts._tool_result,
}


def _blank(where: Where, entry_id: str, at: Millis) -> Event:
    return Event(
        agent_id=where.agent_id,
        type=EventType.HEARTBEAT,
        at=at,
        id=f"{where.session_id}:{entry_id}" if entry_id else None,
        session_id=where.session_id,
        signal=Signal.TRANSCRIPT,
        source=SOURCE,
        facts=facts_of(where),
    )


def _model_call_id(message: Told) -> str | None:
    """The same for the same answer, wherever it is told: what providers number alone may be numbered again."""
    at = instant(message, "timestamp")
    return f"model:{at}:{word(message, 'responseId')}" if at else None


def _text(message: Told) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = [block for block in items(message, "content") if isinstance(block, dict)]
    return "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
