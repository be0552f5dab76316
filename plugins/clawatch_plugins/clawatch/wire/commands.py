"""Commands: what an agent is to do, and what became of it."""

from __future__ import annotations

from typing import Any

from clawatch_plugins.clawatch.wire.base import Wire


class CommandToDo(Wire):
    id: str
    type: str
    parameters: dict[str, Any]
    requested_by: str
    requested_at: str
    expires_at: str | None


class CommandView(Wire):
    id: str
    agent_id: str
    type: str
    state: str
    since: str
    words: str
    control_kind: str
    parameters: dict[str, Any]
    requested_by: str
    requested_at: str
    delivered_at: str | None
    expires_at: str | None
    message: str
    data: Any
    alert_id: str | None


class CommandsToDo(Wire):
    commands: tuple[CommandToDo, ...]


class CommandList(Wire):
    commands: tuple[CommandView, ...]
    next: str | None


class CommandResult(Wire):
    """The body of a command's result."""

    state: str
    message: str = ""
    data: Any = None
