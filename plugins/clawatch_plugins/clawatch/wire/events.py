"""Events as people read them, and the answer to agents that post them."""

from __future__ import annotations

from typing import Any

from clawatch_plugins.clawatch.wire.agents import AgentView
from clawatch_plugins.clawatch.wire.base import Wire
from clawatch_plugins.clawatch.wire.commands import CommandToDo


class EventView(Wire):
    seq: int
    id: str | None
    agent_id: str
    session_id: str | None
    call_id: str | None
    phase: str
    signal: str
    origin: str
    source: str
    type: str
    timestamp: str
    received_at: str
    turn: str | None
    """Where it left an agent that works in turns: open, waiting or closed; null where it says nothing of that."""
    data: dict[str, Any]


class EventList(Wire):
    events: tuple[EventView, ...]
    next: str | None
    """``cursor`` of the next page; null at the end."""


class AgentDetail(AgentView):
    recent_events: tuple[EventView, ...]


class Rejected(Wire):
    index: int
    error: str


class Taken(Wire):
    ok: bool
    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]
    commands: tuple[CommandToDo, ...]


class NothingTaken(Wire):
    error: str
    ok: bool
    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]
