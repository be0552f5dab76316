"""Obedience: what an agent's reports say of the commands it was given."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from clawatch.domain.agents import Agent, Control
from clawatch.domain.commands import LASTING, Command, CommandState, CommandType, ControlKind, moved
from clawatch.domain.events import Activity, Event, EventType, Origin
from clawatch.domain.journal import CommandChanged
from clawatch.domain.time import SECOND, Millis

GRACE: Millis = 30 * SECOND
"""How long a paused agent may go on reporting work after delivery."""
STILL_WORKING = "still working"

_WORK = frozenset({EventType.TOOL_CALL, EventType.COST, EventType.MESSAGE})
_CONFIRMS = {Activity.PAUSED: CommandType.PAUSE, Activity.STOPPED: CommandType.STOP}
_OBEYABLE = frozenset({CommandState.DELIVERED, CommandState.CLAIMED, CommandState.CONFIRMED})


def judged(
    agent: Agent, event: Event, now: Millis, its_open: Iterable[Command], latest: Command | None, age: Millis
) -> list[CommandChanged]:
    """What an event of the agent's makes of its open commands, and of the ``latest`` that sets its control.

    ``age``: how long ago the latest was told, by the clock that nobody sets.
    """
    if event.origin is not Origin.LIVE:
        return []
    if event.activity in _CONFIRMS:
        return _reported(_CONFIRMS[event.activity], its_open, now)
    is_work = event.type in _WORK and event.is_progress
    if is_work and agent.control is not Control.RUN and latest is not None and _is_ignored(latest, event, age):
        # A confirmed command is final for everybody but the evidence: the agent goes on working.
        why = f"{STILL_WORKING}: reported {event.type}"
        return [CommandChanged(command=replace(latest, state=CommandState.FAILED, changed_at=now, message=why))]
    return []


def _reported(type: CommandType, its_open: Iterable[Command], now: Millis) -> list[CommandChanged]:
    return [
        CommandChanged(command=moved(command, _own_word(command), now, "reported by the agent"))
        for command in its_open
        if command.type is type and command.state is not CommandState.CLAIMED and command.requested_at <= now
    ]


def _is_ignored(command: Command, event: Event, age: Millis) -> bool:
    """The event may have waited to be judged; by the wall clock it came later or earlier than it seems to have."""
    came_in_time = 0 <= event.received_at - told_at(command) <= GRACE
    return command.type in LASTING and command.state in _OBEYABLE and age > GRACE and not came_in_time


def told_at(command: Command) -> Millis:
    """When its agent learned of it."""
    return command.delivered_at or command.changed_at


def _own_word(command: Command) -> CommandState:
    """What the agent's own word is worth: where a controller enforces, only the controller confirms."""
    return CommandState.CLAIMED if command.control_kind is ControlKind.NATIVE else CommandState.CONFIRMED
