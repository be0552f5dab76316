"""The desk: where work is asked for, given to agents, and followed to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from clawatch.commands import Commands
from clawatch.domain.access import Principal, Scope, exact
from clawatch.domain.agents import Agent
from clawatch.domain.ids import new_id
from clawatch.domain.journal import Unit
from clawatch.domain.runs import Run
from clawatch.domain.time import SECOND, Millis
from clawatch.domain.work import Order, Record, may_see
from clawatch.fleet import Fleet
from clawatch.ports import Clock, Conflict, Forbidden, NotFound, StorePort, TooMany
from clawatch.work.book import Book
from clawatch.work.following import Following
from clawatch.work.giving import Giving, Sheet
from clawatch.work.rounds import Rounds
from clawatch.work.takers import Takers

MOST_OPEN = 1_000
"""Pieces of work under way at once, parts of competitions included; each holds its input in memory."""
TRY_LATER = 60.0
LOOK_EVERY = 0.5
"""Seconds; what only time brings about is seen that late."""
PACE = 0.005
"""Seconds between two looks, for many agents may speak while something waits."""


class Work:
    """Implements ``ports.WorkPort``. A run and the command that carries it are written in one commit."""

    def __init__(self, store: StorePort, fleet: Fleet, commands: Commands, clock: Clock) -> None:
        self._store = store
        self._fleet = fleet
        self._commands = commands
        self._clock = clock
        self._book = Book()
        self._takers = Takers(fleet, commands, self._book)
        self._rounds = Rounds(self._book, self._takers)
        self._giving = Giving(fleet, commands, self._takers, self._book)
        self._following = Following(fleet, self._takers, self._book, self._giving, self._rounds)
        self._ticked_at: Millis = 0
        self.apply = self._book.apply

    async def load(self) -> None:
        """Take up what was under way. What has happened to its commands meanwhile is seen at the first step."""
        runs = await self._store.open_runs()
        self._book.load(runs, await self._store.run_totals())
        for run in runs:
            if run.command_id and (command := await self._store.command(run.command_id)) is not None:
                self._book.take_command(command)
            for run_id in self._rounds.parts_of(run):
                if (part := await self._store.run(run_id, ("*",))) is not None:
                    self._book.take_part(part)

    # -- asking

    async def submit(self, order: Order, principal: Principal) -> Run:
        """See ``ports.WorkPort.submit``."""
        _check_right(principal)
        async with self._commands.lock:
            self._check_room(1)
            sheet = self._sheet()
            run = _ordered(order, principal, sheet.now)
            agent = self._named(order, principal) if order.agent_id else self._of_kind(order, principal)
            if agent is None:
                sheet.put(run)
            else:
                self._giving.give(run, agent, sheet, is_new=True)
            await self._write(sheet)
        return self._book.open.get(run.id, run)

    def _named(self, order: Order, principal: Principal) -> Agent:
        agent = self._fleet.get(order.agent_id)
        if agent is None or not principal.sees(agent.id):
            raise NotFound("Agent not found")
        if not self._takers.is_connected(agent):
            raise Conflict(f"the agent {agent.id} is not connected, or takes no commands")
        return agent

    def _of_kind(self, order: Order, principal: Principal) -> Agent | None:
        """Whose turn it is; None: nobody is free, and the order waits."""
        known = self._takers.of_kind(order.for_kind, principal.agents)
        if not known and not (order.waits and principal.sees_all):
            raise NotFound(f"there is no agent of type {order.for_kind}")
        if not order.waits and not self._takers.in_turn(known):
            raise Conflict(f"no agent of type {order.for_kind} is connected")
        return self._takers.free_of_kind(order.for_kind, principal.agents)

    def _check_room(self, wanted: int) -> None:
        if len(self._book.open) + wanted > MOST_OPEN:
            raise TooMany(f"more than {MOST_OPEN} pieces of work are under way", TRY_LATER)

    async def cancel(self, run_id: str, principal: Principal) -> Run:
        """See ``ports.WorkPort.cancel``."""
        _check_right(principal)
        async with self._commands.lock:
            run = self._book.open.get(run_id) or await self._store.run(run_id, (*principal.agents, ""))
            if run is None or not may_see(run, principal):
                raise NotFound("Run not found")
            if not run.is_open:
                raise Conflict(f"it is {run.status} already")
            sheet = self._sheet()
            self._giving.cancel(run, f"cancelled by {principal.user}", sheet)
            await self._write(sheet)
        return await self._store.run(run_id, (exact(run.agent_id),)) or run

    async def compete(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None = None, about: str | None = None
    ) -> Run:
        """See ``ports.WorkPort.compete``."""
        _check_right(principal)
        async with self._commands.lock:
            sheet = self._sheet()
            run, parts = self._rounds.begin(prompt, principal, providers, about, sheet.now)
            self._check_room(1 + len(parts))
            sheet.put(run)
            self._giving.ask(parts, sheet)
            await self._write(sheet)
        return self._book.open.get(run.id, run)

    async def end_of(self, run: Run) -> Run:
        """See ``ports.WorkPort.end_of``."""
        if run.id in self._book.open:
            return await self._book.end_of(run.id)
        return await self._store.run(run.id, (exact(run.agent_id),)) or run

    # -- looking

    def takers(self, principal: Principal, kind: str) -> list[Agent]:
        return self._takers.in_turn(self._takers.of_kind(kind, principal.agents))

    def entrants(self, principal: Principal) -> dict[str, Agent]:
        return self._takers.entrants(principal.agents)

    def held_by(self, agent_id: str) -> list[Run]:
        return self._book.held_by(agent_id)

    def record(self, agent_id: str) -> Record:
        return self._book.record(agent_id)

    # -- following

    async def work(self) -> None:
        """One round: at once when something has happened, else when it may have become time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await self._book.changed.wait()
        await self.step()
        await asyncio.sleep(PACE)

    async def step(self) -> None:
        """See what has happened, give out what can be given, store what follows."""
        async with self._commands.lock:
            now = self._clock.now()
            if now.mono - self._ticked_at >= SECOND:
                self._ticked_at = now.mono
                self._book.remember_the_late()
            news = self._book.take_news()
            sheet = Sheet(now.wall)
            try:
                self._following.look(news, sheet)
                await self._write(sheet)
            except BaseException:
                self._book.give_back(news)
                raise

    def _sheet(self) -> Sheet:
        return Sheet(self._clock.now().wall)

    async def _write(self, sheet: Sheet) -> None:
        if sheet.edges:
            await self._store.commit(Unit(edges=tuple(sheet.edges)), sheet.now)
        for command in sheet.commands:
            self._commands.launch(command)


def _check_right(principal: Principal) -> None:
    if not principal.may(Scope.CONTROL):
        raise Forbidden(f"the key {principal.name!r} lacks the scope control")


def _ordered(order: Order, principal: Principal, now: Millis) -> Run:
    return Run(
        id=new_id(order.kind, now),
        agent_id=order.agent_id,
        created_at=now,
        updated_at=now,
        kind=order.kind,
        input=order.input,
        by=principal.user,
        for_kind=order.for_kind,
        reach=principal.agents,
    )
