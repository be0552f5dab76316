"""Commands: from the owner's word to the agent, each with its true state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from clawatch import obedience
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent, Control, Status
from clawatch.domain.ages import Ages
from clawatch.domain.commands import (
    COMMAND_LIFE,
    CONTROL_OF,
    LASTING,
    Command,
    CommandState,
    CommandType,
    ControlKind,
    moved,
)
from clawatch.domain.events import Event
from clawatch.domain.ids import new_id
from clawatch.domain.journal import CommandChanged, Committed, ControlChanged, Edge, Entry, Removed, Unit
from clawatch.domain.time import SECOND, Millis
from clawatch.fleet import Fleet
from clawatch.ports import (
    Clock,
    Conflict,
    Controller,
    Controlling,
    Forbidden,
    Invalid,
    NotFound,
    StorePort,
    StoreUnavailable,
)

AGAIN_AFTER: Millis = 30 * SECOND
"""A delivered command is handed out again until a result comes."""
CARRY_TIMEOUT = 30.0
"""Seconds that a controller may take to carry a command."""
RECENT = 500
"""Commands remembered at start, so that an agent's newest one can be shown."""


class Commands:
    def __init__(self, store: StorePort, fleet: Fleet, clock: Clock, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self.controllers = controllers
        self.lock = asyncio.Lock()
        """Held from looking to committing, so that a state that is final stays so. Taken before the desk's."""
        self._open: dict[str, dict[str, Command]] = {}
        """Open commands by agent and id, in order of request."""
        self._latest: dict[str, Command] = {}
        """The newest command that sets control, by agent."""
        self._ages = Ages()
        """Of these, since they were told."""
        self.changed = 0
        """See ``ports.QueriesPort.commands_changed``."""
        self._arrived = asyncio.Event()
        """Set, and replaced, when there is something new to hand out."""
        self._carrying: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read what is open, and what came last, from the store."""
        recent = await self._store.commands(None, None, RECENT)
        for command in sorted((*recent.items, *await self._store.open_commands()), key=lambda c: c.requested_at):
            self._take_in(command)
        for agent in self._fleet:
            if agent.control is not Control.RUN and agent.id not in self._latest:
                await self._load_of(agent.id)

    async def _load_of(self, agent_id: str) -> None:
        """What was asked of an agent so long ago that others' commands have come between."""
        for command in reversed((await self._store.commands(agent_id, None, RECENT)).items):
            self._take_in(command)

    def apply(self, committed: Committed) -> None:
        """Follow the journal; called for each commit in order."""
        for entry in committed.entries:
            if isinstance(entry.body, CommandChanged):
                self._take_in(entry.body.command)
            elif isinstance(entry.body, Removed):
                self.changed += 1
                self._open.pop(entry.agent_id, None)
                self._latest.pop(entry.agent_id, None)
                self._ages.forget(entry.agent_id)

    def _take_in(self, command: Command) -> None:
        self.changed += 1
        mine = self._open.setdefault(command.agent_id, {})
        if command.is_open:
            mine[command.id] = command
        else:
            mine.pop(command.id, None)
            if not mine:
                del self._open[command.agent_id]
        if command.type in CONTROL_OF:
            latest = self._latest.get(command.agent_id)
            if latest is None or latest.id == command.id or latest.requested_at <= command.requested_at:
                self._latest[command.agent_id] = command
                self._age(command)  # counted from now on
        if command.state is CommandState.REQUESTED:
            self._arrived.set()
            self._arrived = asyncio.Event()

    # -- what a controller can do

    def controlling(self, agent: Agent) -> Controlling:
        """See ``ports.QueriesPort.controlling``."""
        command = self._latest.get(agent.id)
        for controller in self.controllers:
            kind = controller.kind(agent)
            if kind is not None:
                return Controlling(kind=kind, described=controller.describe(agent), command=command)
        return Controlling(kind=ControlKind.NONE, described="cannot be controlled", command=command)

    def has_open(self, agent_id: str) -> bool:
        """Whether there is a command to hand out; cheap."""
        return agent_id in self._open

    def latest(self, agent_id: str) -> Command | None:
        return self._latest.get(agent_id)

    # -- asking

    async def control(
        self, agent_id: str, verb: CommandType, principal: Principal, alert_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[Agent, Command | None]:
        """See ``ports.CommandsPort.control``."""
        if verb not in CONTROL_OF:
            raise Invalid(f"{verb} is no control verb; use one of {', '.join(CONTROL_OF)}")
        async with self.lock:
            agent = self._permitted(agent_id, principal)
            now = self._clock.now().wall
            edges, command = self.plan(agent, verb, principal, now, alert_id, parameters=parameters)
            if edges:
                await self._store.commit(Unit(edges=tuple(edges)), now)
        if command is not None and command.is_open:
            command = await self._carry(command)
        return self._fleet.get(agent_id) or agent, command or self._latest.get(agent_id)

    def plan(
        self,
        agent: Agent,
        verb: CommandType,
        principal: Principal,
        now: Millis,
        alert_id: str | None = None,
        planned: Sequence[Command] = (),
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[list[Edge], Command | None]:
        """The edges a control verb comes to; none when it changes nothing. ``launch`` the command once stored.

        ``planned`` are the agent's commands that are not stored yet, but will be before this one.
        """
        if self._is_done(agent, verb) or any(command.type is verb for command in planned):
            return [], None
        edges: list[Edge] = [
            CommandChanged(command=moved(old, CommandState.EXPIRED, now, f"superseded by {verb}"))
            for old in (*self._open.get(agent.id, {}).values(), *planned)
            if old.type in CONTROL_OF and old.is_open
        ]
        command = self._new(agent, verb, dict(parameters or {}), principal.user, now, alert_id)
        edges.append(ControlChanged(agent_id=agent.id, control=CONTROL_OF[verb], by=principal.user))
        edges.append(CommandChanged(command=command))
        return edges, command

    def launch(self, command: Command) -> None:
        """Have a command that is stored carried to its agent, without waiting for it."""
        if command.state is CommandState.REQUESTED:
            task = asyncio.create_task(self._carry_alone(command))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry_alone(self, command: Command) -> None:
        with suppress(StoreUnavailable):  # then it stays requested
            await self._carry(command)

    def launch_open(self) -> None:
        """Carry what was asked just before the daemon ended: its controller may never have heard of it."""
        for mine in self._open.values():
            for command in mine.values():
                self.launch(command)

    async def carried(self) -> None:
        """Return when what has been launched is carried."""
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _is_done(self, agent: Agent, verb: CommandType) -> bool:
        if verb is CommandType.RESTART:
            return False
        if CONTROL_OF[verb] is Control.RUN:
            return agent.status not in (Status.PAUSED, Status.STOPPED)
        latest = self._latest.get(agent.id)
        return (
            agent.control is CONTROL_OF[verb]
            and latest is not None
            and latest.type is verb
            and latest.state not in (CommandState.FAILED, CommandState.EXPIRED)
        )

    async def send(
        self, agent_id: str, type: CommandType, parameters: Mapping[str, Any], principal: Principal
    ) -> Command:
        """See ``ports.CommandsPort.send``."""
        if type in CONTROL_OF:
            _, command = await self.control(agent_id, type, principal, parameters=parameters)
            if command is None:
                raise Conflict(f"the agent {agent_id!r} is not to be {type}d: nothing to do")
            return command
        async with self.lock:
            agent = self._permitted(agent_id, principal)
            now = self._clock.now().wall
            command = self._new(agent, type, dict(parameters), principal.user, now, None)
            await self._store.commit(Unit(edges=(CommandChanged(command=command),)), now)
        return await self._carry(command) if command.is_open else command

    def drafted(
        self, agent: Agent, type: CommandType, parameters: dict[str, Any], requested_by: str, now: Millis
    ) -> Command:
        """A command that somebody else stores, under ``lock``; ``launch`` it then."""
        return self._new(agent, type, parameters, requested_by, now, None)

    def withdrawn(self, command: Command, why: str, now: Millis) -> list[Edge]:
        """The edge that ends a command which is not wanted any more; none when it has come to its end by itself."""
        known = self._open.get(command.agent_id, {}).get(command.id)
        return [] if known is None else [CommandChanged(command=moved(known, CommandState.EXPIRED, now, why))]

    def _permitted(self, agent_id: str, principal: Principal) -> Agent:
        agent = self._fleet.get(agent_id)
        if agent is None or not principal.sees(agent_id):
            raise NotFound("Agent not found")
        if not principal.may(Scope.CONTROL):
            raise Forbidden(f"the key {principal.name!r} lacks the scope control")
        return agent

    def _new(
        self,
        agent: Agent,
        type: CommandType,
        parameters: dict[str, Any],
        requested_by: str,
        now: Millis,
        alert_id: str | None,
    ) -> Command:
        controlling = self.controlling(agent)
        supported = controlling.kind is not ControlKind.NONE
        return Command(
            id=new_id("cmd", now),
            agent_id=agent.id,
            type=type,
            state=CommandState.REQUESTED if supported else CommandState.UNSUPPORTED,
            requested_at=now,
            requested_by=requested_by,
            changed_at=now,
            control_kind=controlling.kind,
            parameters=parameters,
            expires_at=None if type in LASTING else now + COMMAND_LIFE,
            message="" if supported else controlling.described,
            alert_id=alert_id,
        )

    async def _carry(self, command: Command) -> Command:
        agent = self._fleet.get(command.agent_id)
        controller = next((c for c in self.controllers if agent and c.kind(agent) is not None), None)
        if controller is None or agent is None:
            return command
        state, why = await _carry_with(controller, command, agent)
        if state is None or state is command.state:
            return self._open.get(command.agent_id, {}).get(command.id, command)
        return await self.settle(command.id, state, why) or command

    # -- handing out and hearing back

    async def take(self, agent_id: str, principal: Principal, wait: float = 0.0) -> list[Command]:
        """See ``ports.CommandsPort.take``."""
        if not principal.sees(agent_id):
            raise NotFound("Agent not found")
        if not (principal.may(Scope.INGEST) or principal.may(Scope.CONTROL)):
            raise Forbidden(f"the key {principal.name!r} lacks the scope ingest")
        if wait > 0:
            await self._wait_for_command(agent_id, wait)
        return await self._hand_out(agent_id)

    def _due(self, agent_id: str) -> list[Command]:
        now = self._clock.now().wall
        return [
            command
            for command in self._open.get(agent_id, {}).values()
            if command.control_kind is ControlKind.COOPERATIVE
            and (command.state is CommandState.REQUESTED or not 0 <= now - command.changed_at < AGAIN_AFTER)
        ]

    async def _wait_for_command(self, agent_id: str, wait: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not self._due(agent_id):
                    await self._arrived.wait()

    async def _hand_out(self, agent_id: str) -> list[Command]:
        if not self._due(agent_id):
            return []
        async with self.lock:
            now = self._clock.now().wall
            delivered = [moved(command, CommandState.DELIVERED, now) for command in self._due(agent_id)]
            if delivered:
                await self._store.commit(Unit(edges=tuple(CommandChanged(command=c) for c in delivered)), now)
            return delivered

    async def result(
        self, command_id: str, state: CommandState, message: str, data: Any, principal: Principal
    ) -> Command:
        """See ``ports.CommandsPort.result``."""
        if state not in (CommandState.CONFIRMED, CommandState.FAILED, CommandState.UNSUPPORTED):
            raise Invalid("a result's state is confirmed, failed or unsupported")
        async with self.lock:
            command = await self._store.command(command_id)
            if command is None or not principal.sees(command.agent_id):
                raise NotFound("Command not found")
            if not principal.may(Scope.INGEST):
                raise Forbidden(f"the key {principal.name!r} lacks the scope ingest")
            if not command.is_open:
                raise Conflict(f"the command is {command.state} already, and that is final")
            if command.control_kind is ControlKind.NATIVE and state is CommandState.CONFIRMED:
                state = CommandState.CLAIMED
            return await self._move(command, state, message, data)

    async def settle(self, command_id: str, state: CommandState, message: str = "") -> Command | None:
        """See ``ports.CommandsPort.settle``."""
        async with self.lock:
            command = await self._store.command(command_id)
            if command is None or not command.is_open:
                return None
            return await self._move(command, state, message)

    async def _move(self, command: Command, state: CommandState, message: str, data: Any = None) -> Command:
        now = self._clock.now().wall
        command = moved(command, state, now, message, data)
        await self._store.commit(Unit(edges=(CommandChanged(command=command),)), now)
        return command

    def give_up(self, agent_id: str) -> list[Edge]:
        """The edges that end an agent's open commands with it; commit them under ``lock``."""
        now = self._clock.now().wall
        return [
            CommandChanged(command=moved(command, CommandState.EXPIRED, now, "the agent was removed"))
            for command in self._open.get(agent_id, {}).values()
        ]

    # -- what events and time make of commands; part of the rules' durable consumer

    def observe(self, entry: Entry, agent: Agent | None) -> list[CommandChanged]:
        """The edges that an event brings about: an agent that says it paused, or works on though paused."""
        if agent is None or not isinstance(entry.body, Event):
            return []
        mine, latest = self._open.get(agent.id, {}).values(), self._latest.get(agent.id)
        return obedience.judged(agent, entry.body, entry.at, mine, latest, 0 if latest is None else self._age(latest))

    def _age(self, command: Command) -> Millis:
        return self._ages.of(command.agent_id, obedience.told_at(command), self._clock.now())

    def expire(self, now: Millis) -> list[CommandChanged]:
        """The commands whose time has run out."""
        return [
            CommandChanged(command=moved(command, CommandState.EXPIRED, now))
            for mine in self._open.values()
            for command in mine.values()
            if command.expires_at is not None and command.expires_at <= now
        ]


async def _carry_with(controller: Controller, command: Command, agent: Agent) -> tuple[CommandState | None, str]:
    """What became of it, and why; a controller that fails or hangs has failed the command."""
    try:
        async with asyncio.timeout(CARRY_TIMEOUT):
            return await controller.carry(command, agent), ""
    except TimeoutError:
        return CommandState.FAILED, f"the controller gave no answer within {CARRY_TIMEOUT:.0f} s"
    except Exception as error:
        return CommandState.FAILED, f"the controller raised {type(error).__name__}"
