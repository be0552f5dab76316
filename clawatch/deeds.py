"""Deeds: everything there is to do, behind the one port that doors and notifiers are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import Outbox
from clawatch.commands import Commands
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Outcome
from clawatch.domain.redaction import Redactor
from clawatch.domain.time import Millis
from clawatch.fleet import Fleet
from clawatch.ports import Forbidden, Invalid, NotFound


class Deeds:
    """Implements ``ports.CommandsPort`` over the commands, the desk and the outbox; no secret gets past it."""

    def __init__(self, commands: Commands, desk: Desk, fleet: Fleet, outbox: Outbox, redactor: Redactor) -> None:
        self._commands = commands
        self._desk = desk
        self._fleet = fleet
        self._outbox = outbox
        self._redactor = redactor

    async def control(
        self, agent_id: str, verb: CommandType, principal: Principal, alert_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[Agent, Command | None]:
        return await self._commands.control(agent_id, verb, principal, alert_id, parameters)

    async def send(
        self, agent_id: str, type: CommandType, parameters: Mapping[str, Any], principal: Principal
    ) -> Command:
        return await self._commands.send(agent_id, type, parameters, principal)

    def has_open(self, agent_id: str) -> bool:
        return self._commands.has_open(agent_id)

    async def take(self, agent_id: str, principal: Principal, wait: float = 0.0) -> list[Command]:
        return await self._commands.take(agent_id, principal, wait)

    async def result(
        self, command_id: str, state: CommandState, message: str, data: Any, principal: Principal
    ) -> Command:
        redactor = self._redactor
        return await self._commands.result(
            command_id, state, redactor.text(message), redactor.value(data), principal
        )

    async def settle(self, command_id: str, state: CommandState, message: str = "") -> Command | None:
        return await self._commands.settle(command_id, state, message)

    async def acknowledge(self, alert_id: str, principal: Principal, acknowledged: bool = True) -> Alert:
        return await self._desk.acknowledge(alert_id, principal, acknowledged)

    async def silence(
        self,
        principal: Principal,
        duration: Millis,
        reason: str,
        alert_id: str | None = None,
        agent: str = "*",
        rule: str = "",
        severity: str = "",
    ) -> Silence:
        if self._redactor.gives_away(agent) or self._redactor.gives_away(rule):
            raise Invalid("a silence's patterns are shown; they must not hold a key or token")
        reason = self._redactor.text(reason)
        return await self._desk.silence(principal, duration, reason, alert_id, agent, rule, severity)

    async def unsilence(self, silence_id: str, principal: Principal) -> None:
        await self._desk.unsilence(silence_id, principal)

    async def remove_agent(self, agent_id: str, principal: Principal) -> None:
        """Raises NotFound, or Forbidden without the scope control."""
        if self._fleet.get(agent_id) is None or not principal.sees(agent_id):
            raise NotFound("Agent not found")
        if not principal.may(Scope.CONTROL):
            raise Forbidden(f"the key {principal.name!r} lacks the scope control")
        async with self._commands.lock:
            await self._desk.remove_agent(agent_id, principal, self._commands.give_up(agent_id))

    async def test_notifier(self, name: str, principal: Principal) -> Outcome:
        """Raises NotFound, or Forbidden without the scope admin."""
        if not principal.may(Scope.ADMIN):
            raise Forbidden(f"the key {principal.name!r} lacks the scope admin")
        outcome = await self._outbox.test(name)
        if outcome is None:
            raise NotFound(f"there is no notifier named {name!r}; configured are: {self._names()}")
        return outcome

    def _names(self) -> str:
        return ", ".join(sorted(self._outbox.workers)) or "none"
