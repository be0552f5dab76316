"""The brake on OpenClaw's agents. It has none of its own, so a pause is an abort, and another one at every new start.

A stop is the ladder, once; what is started afterwards is a new start. Both are confirmed by the gateway's list of
sessions alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.commands import LASTING, Command, CommandState, CommandType, ControlKind
from clawatch.domain.naming import agent_key
from clawatch.domain.time import Millis
from clawatch.domain.words import count_of
from clawatch.ports import Core, NotFound, StoreUnavailable
from clawatch_plugins.openclaw.frames import Refused
from clawatch_plugins.openclaw.gateway import Gateway, Unreachable
from clawatch_plugins.openclaw.holding import MOST, Held
from clawatch_plugins.openclaw.identity import KIND, UNATTRIBUTED
from clawatch_plugins.openclaw.rows import Rows
from clawatch_plugins.openclaw.stopping import Ladder, Proof

WRITE = "operator.write"
SLOWER = 5.0
"""Seconds between two aborts of an agent that is started more often than anybody can mean."""
LOOK_EVERY = 5.0
"""Seconds between two looks at paused agents: the gateway's events may be lost."""
_LIFTS = frozenset({CommandType.RESUME, CommandType.START})
Tell = Callable[[Agent, str, int], Awaitable[None]]


class Brake:
    """Implements ``ports.Controller``. ``tell`` says that a start was aborted again, and how many there were."""

    def __init__(
        self, name: str, core: Core, gateway: Gateway | None, rows: Rows | None, proof_within: Millis, tell: Tell
    ) -> None:
        self._name, self._prefix = name, f"{name}:"
        self._core = core
        self._gateway = gateway
        self._rows = rows
        self._within = proof_within
        self._tell = tell
        self._acting: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._held: dict[str, Held] = {}
        """Paused agents."""
        self._concerned: tuple[int, list[str]] = (-1, [])
        """Agents that something is asked of, as of the last change of commands."""

    # -- ports.Controller

    def kind(self, agent: Agent) -> ControlKind | None:
        if not self.is_ours(agent):
            return None
        can = self._gateway is not None and self._gateway.may(WRITE) and not self._is_nobody(agent)
        return ControlKind.REABORT if can else ControlKind.NONE

    def describe(self, agent: Agent) -> str:
        if self._gateway is None:
            return "cannot be paused: no gateway is set (sources.openclaw.gateway)"
        if self._is_nobody(agent):
            return "cannot be paused: it stands for what telemetry tells of no agent in particular"
        if not self._gateway.may(WRITE):
            return f"cannot be paused: the gateway does not grant {WRITE}"
        if self._gateway.state != "ok":
            return f"reabort, once the gateway can be reached ({self._gateway.state})"
        times = self._held[agent.id].lately(self._now()) if agent.id in self._held else 0
        said = f"; {count_of(times, 'start')} aborted of late" if times else ""
        return f"reabort (stopped again whenever it starts){said}"

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        if command.type in LASTING:
            self.act(agent.id)
            return None
        if command.type in _LIFTS:
            self._let_go(agent.id)
            return CommandState.CONFIRMED
        return CommandState.UNSUPPORTED

    # -- what the gateway shows

    def is_ours(self, agent: Agent) -> bool:
        return agent.kind == KIND and agent.id.startswith(self._prefix)

    def is_held(self, agent: Agent) -> bool:
        """Whether what it does now is being undone: then it is no disobedience."""
        is_open = self._gateway is not None and self._gateway.is_open
        held = self._held.get(agent.id)
        return agent.control is Control.PAUSED and is_open and not (held and held.is_losing)

    def saw_work(self, agent_id: str) -> None:
        """A run of this agent has begun, or goes on."""
        agent = self._agent(agent_id)
        if agent is not None and agent.control is Control.PAUSED:
            self.act(agent_id)

    def review(self) -> None:
        """Take up whatever is asked of agents and not done, after connecting."""
        for agent_id in self._asked_of():
            self.act(agent_id)

    def _asked_of(self) -> list[str]:
        """The agents that are to be paused, or have a command that is open."""
        queries = self._core.queries
        if self._concerned[0] != queries.commands_changed:
            found = [agent.id for agent in queries.agents(CORE) if self.is_ours(agent) and self._is_asked(agent)]
            self._concerned = (queries.commands_changed, found)
        return self._concerned[1]

    def _is_asked(self, agent: Agent) -> bool:
        return agent.control is Control.PAUSED or self._open_command(agent) is not None

    async def watch(self) -> None:
        """Look after paused agents, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self._gateway is not None and self._gateway.is_open and self._asked_of():
                with suppress(Refused, Unreachable, TimeoutError):
                    await self._look()

    async def _look(self) -> None:
        assert self._rows is not None
        await self._rows.refresh()
        for agent_id in self._asked_of():
            agent = self._agent(agent_id)
            if agent is None:
                continue
            if self._open_command(agent) is not None or self._rows.active(self._name_of(agent)):
                self.act(agent_id)

    async def close(self) -> None:
        for task in self._acting.values():
            task.cancel()
        await asyncio.gather(*self._acting.values(), return_exceptions=True)

    # -- acting

    def act(self, agent_id: str) -> None:
        """Do what is asked of it now; once more afterwards when that comes while it is being done."""
        if agent_id in self._acting:
            self._again.add(agent_id)
        elif self._gateway is not None and self._gateway.is_open:
            task = asyncio.create_task(self._act(agent_id), name="openclaw.brake")
            self._acting[agent_id] = task
            task.add_done_callback(lambda _: self._acted(agent_id))

    def _let_go(self, agent_id: str) -> None:
        """It may work again: what is being done against that ends here."""
        self._held.pop(agent_id, None)
        if agent_id in self._acting:
            self._acting[agent_id].cancel()

    def _acted(self, agent_id: str) -> None:
        self._acting.pop(agent_id, None)
        if agent_id in self._again:
            self._again.discard(agent_id)
            self.act(agent_id)

    async def _act(self, agent_id: str) -> None:
        agent = self._agent(agent_id)
        if agent is None:
            return
        command = self._open_command(agent)
        try:
            if self._rows is not None and not self._rows.all:
                with suppress(Refused, Unreachable, TimeoutError):  # the ladder says so, too
                    await self._rows.refresh()  # by which name the gateway knows the agent
            if agent.control is Control.STOPPED and command is not None:
                await self._settle(command, await self._ladder(command).stop(self._name_of(agent)))
            elif agent.control is Control.PAUSED:
                await self._hold(agent, command)
        except StoreUnavailable as error:
            self._core.log.warning("openclaw.brake_not_told", why=str(error))

    async def _hold(self, agent: Agent, command: Command | None) -> None:
        held = self._held.setdefault(agent.id, Held())
        if command is None and self._now() < held.try_at:
            return
        if held.lately(self._now()) >= MOST:
            await asyncio.sleep(SLOWER)
        proof = await self._ladder(command).abort(self._name_of(agent))
        held.tried(proof, self._now(), is_again=command is None)
        if command is not None:
            await self._settle(command, proof)
        elif proof.rung:
            await self._tell(agent, proof.message, held.lately(self._now()))

    async def _settle(self, command: Command, proof: Proof) -> None:
        """A gateway that went away leaves the command open: it is taken up again when it is back."""
        if self._gateway is None or not (proof.is_stopped or self._gateway.is_open):
            return
        state = CommandState.CONFIRMED if proof.is_stopped else CommandState.FAILED
        await self._core.commands.settle(command.id, state, proof.message)

    def _ladder(self, command: Command | None) -> Ladder:
        assert self._gateway is not None
        assert self._rows is not None

        async def asked() -> None:
            if command is not None and command.state is CommandState.REQUESTED:
                await self._core.commands.settle(command.id, CommandState.DELIVERED, "the gateway was asked")

        return Ladder(self._gateway, self._rows, self._within, asked)

    # -- what is known

    def _now(self) -> Millis:
        return self._core.clock.now().mono

    def _agent(self, agent_id: str) -> Agent | None:
        try:
            return self._core.queries.agent(agent_id, CORE)
        except NotFound:
            return None

    def _open_command(self, agent: Agent) -> Command | None:
        command = self._core.queries.controlling(agent).command
        return command if command is not None and command.is_open and command.type in LASTING else None

    def _name_of(self, agent: Agent) -> str:
        """OpenClaw's own id of it."""
        names = {row.agent for row in self._rows.all} if self._rows is not None else set()
        shown = agent.id.removeprefix(self._prefix)
        return shown if shown in names else next((n for n in names if agent_key(self._name, n) == agent.id), shown)

    def _is_nobody(self, agent: Agent) -> bool:
        return agent.id == agent_key(self._name, UNATTRIBUTED) and not (self._rows and self._rows.of(UNATTRIBUTED))



