"""Messages of the live stream: each encoded once, for all who get it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from clawatch.domain.access import Principal
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import AlertChanged, CommandChanged, Entry, Fill, RunChanged
from clawatch.domain.time import iso
from clawatch.ports import Core, NotFound
from clawatch_plugins.clawatch.shown import ShownAgents
from clawatch_plugins.clawatch.views import alert_view, command_view, event_view, run_view
from clawatch_plugins.clawatch.wire import AgentGone, Message

TOPICS = ("agents", "events", "alerts", "commands", "runs")
KEPT = 1_024
LARGEST_KEPT = 16 * 1024
"""Characters; larger frames are rare, and made anew for each reader."""


class Frames:
    def __init__(self, core: Core, shown: ShownAgents) -> None:
        self._core = core
        self._shown = shown
        self._frames: OrderedDict[int, str | None] = OrderedDict()

    def of_entry(self, entry: Entry, cursor: str) -> str | None:
        """An entry as a message; None when people are shown nothing of it."""
        if entry.seq in self._frames:
            return self._frames[entry.seq]
        told = self._told(entry)
        frame = None if told is None else _encode(told[0], cursor, iso(entry.at), told[1])
        if frame is None or len(frame) <= LARGEST_KEPT:
            self._frames[entry.seq] = frame
            if len(self._frames) > KEPT:
                self._frames.popitem(last=False)
        return frame

    def _told(self, entry: Entry) -> tuple[str, Any] | None:
        match entry.body:
            case Event(is_hidden=False) as event:
                return "event", event_view(entry.seq, event)
            case Fill(event=Event(is_hidden=False) as event) as fill:
                return "event", event_view(fill.of, event)
            case AlertChanged(alert=alert) if alert.fired_at:
                return "alert", alert_view(alert, self._core.queries.silenced_until(alert))
            case CommandChanged(command=command):
                return "command", command_view(command)
            case RunChanged(run=run):
                return "run", run_view(run)
            case _:
                return None

    def of_agent(self, agent_id: str, principal: Principal, cursor: str) -> str:
        """The agent as it stands now; ``{"id", "deleted": true}`` when it is gone."""
        now = iso(self._core.clock.now().wall)
        try:
            agent = self._core.queries.agent(agent_id, principal)
        except NotFound:
            return _encode("agent", cursor, now, AgentGone(id=agent_id))
        return _encode("agent", cursor, now, self._shown.json_of(agent))


def topic_of(entry: Entry) -> str | None:
    match entry.body:
        case Event() | Fill():
            return "events"
        case AlertChanged():
            return "alerts"
        case CommandChanged():
            return "commands"
        case RunChanged():
            return "runs"
        case _:
            return None


def event_type_of(entry: Entry) -> EventType | None:
    match entry.body:
        case Event(type=type_) | Fill(event=Event(type=type_)):
            return type_
        case _:
            return None


def _encode(kind: str, cursor: str, timestamp: str, data: Any) -> str:
    return msgspec.json.encode(Message(type=kind, cursor=cursor, timestamp=timestamp, data=data)).decode()
