"""Commands: what the owner or a rule asks of an agent, with its true state."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.agents import Control
from clawatch.domain.time import MINUTE, Millis


class CommandType(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    UPDATE_CONFIG = "update_config"
    GET_STATUS = "get_status"
    EXECUTE = "execute"
    LEARN = "learn"
    CANCEL = "cancel"


class CommandState(StrEnum):
    REQUESTED = "requested"
    DELIVERED = "delivered"
    CLAIMED = "claimed"
    """The agent itself says so, where only the controller's word would confirm (native control)."""
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    EXPIRED = "expired"


TERMINAL = frozenset({CommandState.CONFIRMED, CommandState.FAILED, CommandState.UNSUPPORTED, CommandState.EXPIRED})

CONTROL_OF = {
    CommandType.PAUSE: Control.PAUSED,
    CommandType.RESUME: Control.RUN,
    CommandType.START: Control.RUN,
    CommandType.RESTART: Control.RUN,
    CommandType.STOP: Control.STOPPED,
}
"""The control a command sets; the others set none."""

LASTING = frozenset({CommandType.PAUSE, CommandType.STOP})
"""Live until replaced; the others for COMMAND_LIFE."""
COMMAND_LIFE: Millis = 10 * MINUTE


class ControlKind(StrEnum):
    """What a controller can do for an agent."""

    NATIVE = "native"
    COOPERATIVE = "cooperative"
    REABORT = "reabort"
    NONE = "none"


class Command(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    agent_id: str
    type: CommandType
    state: CommandState
    requested_at: Millis
    requested_by: str
    changed_at: Millis
    control_kind: ControlKind = ControlKind.NONE
    parameters: dict[str, Any] = {}
    delivered_at: Millis = 0
    """When it was first handed out; it may have been again since."""
    expires_at: Millis | None = None
    message: str = ""
    data: Any = None
    alert_id: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state not in TERMINAL


def moved(command: Command, state: CommandState, now: Millis, message: str = "", data: Any = None) -> Command:
    """The command in another state. Raises ValueError when its state is final."""
    if not command.is_open:
        raise ValueError(f"command {command.id} is {command.state}; that is final")
    changes: dict[str, Any] = {"state": state, "changed_at": now}
    if state is CommandState.DELIVERED and not command.delivered_at:
        changes["delivered_at"] = now
    if message:
        changes["message"] = message
    if data is not None:
        changes["data"] = data
    return replace(command, **changes)


_ASKED = {
    CommandType.PAUSE: "pause",
    CommandType.RESUME: "resume",
    CommandType.START: "start",
    CommandType.STOP: "stop",
    CommandType.RESTART: "restart",
}
_DONE = {
    CommandType.PAUSE: "paused",
    CommandType.RESUME: "resumed",
    CommandType.START: "started",
    CommandType.STOP: "stopped",
    CommandType.RESTART: "restarted",
}


def in_words(command: Command) -> str:
    """The command's state for people: ``asked to pause``, ``paused, confirmed``, ``cannot be paused``."""
    verb = _ASKED.get(command.type, f"do {command.type.replace('_', ' ')}")
    done = _DONE.get(command.type, f"{command.type.replace('_', ' ')} done")
    match command.state:
        case CommandState.REQUESTED:
            return f"asked to {verb}"
        case CommandState.DELIVERED:
            return f"asked to {verb}, delivered"
        case CommandState.CLAIMED:
            return f"says it is {done}, not confirmed"
        case CommandState.CONFIRMED:
            return f"{done}, confirmed"
        case CommandState.FAILED:
            return f"could not {verb}"
        case CommandState.UNSUPPORTED:
            return f"cannot be {done}" if command.type in _DONE else f"cannot {verb}"
        case CommandState.EXPIRED:
            return f"asked to {verb}, expired unanswered"
