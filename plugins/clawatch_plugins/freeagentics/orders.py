"""Commands that clients have given: carried out through the core, and told how they go on until that is final."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clawatch.apis.sessions import Session
from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.commands import CONTROL_OF, Command, CommandState, CommandType, in_words
from clawatch.domain.ids import new_id
from clawatch.domain.time import Millis, iso
from clawatch.ports import ClaWatchError, Conflict, Core, Forbidden, Invalid, NotFound, StoreUnavailable
from clawatch_plugins.freeagentics import asking
from clawatch_plugins.freeagentics.asking import Asked, read
from clawatch_plugins.freeagentics.wire import CommandError, CommandResult, Message
from clawatch_plugins.freeagentics.words import (
    AGENT_NOT_FOUND,
    COMMAND_CONFLICT,
    INVALID_COMMAND,
    INVALID_MESSAGE_FORMAT,
    PERMISSION_DENIED,
    SERVICE_UNAVAILABLE,
)

VERBS = {str(verb): verb for verb in (*CONTROL_OF, CommandType.UPDATE_CONFIG, CommandType.GET_STATUS)}
"""The contract's five, and pause and resume, without which there would be no brake."""
UNCHANGED = "unchanged"
_STAGES = {CommandState.REQUESTED: 0, CommandState.DELIVERED: 1, CommandState.CLAIMED: 2}
_FINAL = 3
MEMORY = 1_000
"""Commands of which it is remembered how they stand."""
_CODES: dict[type[ClaWatchError], str] = {
    NotFound: AGENT_NOT_FOUND,
    Forbidden: PERMISSION_DENIED,
    Conflict: COMMAND_CONFLICT,
    StoreUnavailable: SERVICE_UNAVAILABLE,
}


@dataclass
class Order:
    """Somebody who waits to hear what becomes of a command."""

    session: Session
    verb: str
    request_id: str
    told: int = -1
    """The stage last told; the journal may tell of an earlier one yet."""


class Orders:
    def __init__(self, core: Core, status_of: Callable[[Agent], Message]) -> None:
        self._core = core
        self._status_of = status_of
        self._orders: dict[str, list[Order]] = {}
        """By the command's id."""
        self._mine: dict[Session, set[str]] = {}
        self._newest: OrderedDict[str, Command] = OrderedDict()
        """What the journal told last of the latest commands: it may come before the answer to whoever gave one."""

    async def give(self, session: Session, asked: Asked) -> None:
        """Carry a command out and answer it; the answer says how it stands, and more follow as it goes on."""
        request_id = _request_id(asked) or new_id("req", self._core.clock.now().wall)
        try:
            wanted = read(asked.data, asking.Command)
        except Invalid as error:
            self._refuse(session, asked.data, request_id, INVALID_MESSAGE_FORMAT, str(error))
            return
        verb = VERBS.get(wanted.command)
        if verb is None:
            known = ", ".join(VERBS)
            said = f"Command '{wanted.command}' is not supported; use one of {known}"
            self._refuse(session, asked.data, request_id, INVALID_COMMAND, said)
            return
        try:
            await self._carry_out(session, wanted, verb, request_id)
        except ClaWatchError as error:
            code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), INVALID_COMMAND)
            said = f"Agent with ID '{wanted.agent_id}' not found" if code == AGENT_NOT_FOUND else str(error)
            self._refuse(session, asked.data, request_id, code, said)

    def follow(self, command: Command, at: Millis) -> None:
        """Tell those who gave it how the command stands now."""
        self._newest[command.id] = command
        if len(self._newest) > MEMORY:
            self._newest.popitem(last=False)
        for order in self._orders.get(command.id, ()):
            self._tell(order, command, at)
        if not command.is_open:
            for order in self._orders.pop(command.id, ()):
                self._mine[order.session].discard(command.id)

    def forget(self, session: Session) -> None:
        """Somebody has gone."""
        for command_id in self._mine.pop(session, ()):
            left = [order for order in self._orders[command_id] if order.session is not session]
            if left:
                self._orders[command_id] = left
            else:
                del self._orders[command_id]

    async def _carry_out(self, session: Session, wanted: asking.Command, verb: CommandType, request_id: str) -> None:
        before = self._core.clock.now().wall
        agent = self._core.queries.agent(wanted.agent_id, session.principal)
        order = Order(session, wanted.command, request_id)
        if verb is CommandType.GET_STATUS:
            session.send(self._status_of(agent))
            self._say(order, wanted.agent_id, None, "confirmed", "this is how it stood at its last report")
            return
        command = await self._issue(wanted, verb, session.principal)
        if command is None or not (command.is_open or command.requested_at >= before):
            self._say(order, wanted.agent_id, None, UNCHANGED, f"there is nothing to {wanted.command}")
            return
        command = max(command, self._newest.get(command.id, command), key=_stage)
        self._tell(order, command, self._core.clock.now().wall)
        if command.is_open and session.closing is None:
            self._orders.setdefault(command.id, []).append(order)
            self._mine.setdefault(session, set()).add(command.id)

    async def _issue(self, wanted: asking.Command, verb: CommandType, principal: Principal) -> Command | None:
        """The command, or an older one that asks the same; None where there is nothing to do."""
        commands, parameters = self._core.commands, wanted.parameters or {}
        if verb not in CONTROL_OF:
            return await commands.send(wanted.agent_id, verb, parameters, principal)
        _, command = await commands.control(wanted.agent_id, verb, principal, parameters=parameters)
        return command if command is not None and command.type is verb else None

    def _tell(self, order: Order, command: Command, at: Millis) -> None:
        stage = _stage(command)
        if stage <= order.told:
            return
        order.told = stage
        said = f"{in_words(command)}: {command.message}" if command.message else in_words(command)
        self._say(order, command.agent_id, command.id, str(command.state), said, at)

    def _say(
        self, order: Order, agent_id: str, command_id: str | None, status: str, said: str, at: Millis | None = None
    ) -> None:
        told_at = iso(self._core.clock.now().wall if at is None else at)
        order.session.send(Message("command_result", told_at, CommandResult(
            command=order.verb,
            agent_id=agent_id,
            request_id=order.request_id,
            command_id=command_id,
            status=status,
            message=said,
        )))

    def _refuse(self, session: Session, data: dict[str, Any], request_id: str, code: str, said: str) -> None:
        session.send(Message("command_error", iso(self._core.clock.now().wall), CommandError(
            command=_text(data.get("command")),
            agent_id=_text(data.get("agent_id")),
            error_code=code,
            error_message=said,
            request_id=request_id,
        )))


def _stage(command: Command) -> int:
    return _STAGES.get(command.state, _FINAL)


def _request_id(asked: Asked) -> str | None:
    return _text(asked.data.get("request_id")) or _text(asked.request_id)


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None
