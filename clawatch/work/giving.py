"""Giving work to agents, and taking it from them: the edges that this comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawatch.commands import Commands
from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.journal import CommandChanged, Edge, RunChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis
from clawatch.domain.work import ended, given, verb_for
from clawatch.fleet import Fleet
from clawatch.work.book import Book
from clawatch.work.takers import Takers


@dataclass
class Sheet:
    """What follows from a look at the book: written in one commit, then the commands are launched."""

    now: Millis
    edges: list[Edge] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """Agents and runs that this sheet has brought together."""

    def put(self, run: Run, moved_from: str | None = None) -> None:
        self.edges.append(RunChanged(run=run, moved_from=moved_from))

    def ask(self, command: Command) -> None:
        self.edges.append(CommandChanged(command=command))
        self.commands.append(command)


class Giving:
    def __init__(self, fleet: Fleet, commands: Commands, takers: Takers, book: Book) -> None:
        self._fleet = fleet
        self._commands = commands
        self._takers = takers
        self._book = book

    def give(self, run: Run, agent: Agent, sheet: Sheet, is_new: bool = False) -> None:
        """The run first, so that its command is known for what it is."""
        parameters = {**(run.input if isinstance(run.input, dict) else {}), "runId": run.id}
        command = self._commands.drafted(agent, verb_for(run), parameters, run.by, sheet.now)
        sheet.put(given(run, agent.id, command.id, sheet.now), None if is_new else run.agent_id)
        sheet.ask(command)
        sheet.taken |= {agent.id, run.id}

    def ask(self, parts: list[Run], sheet: Sheet) -> None:
        """Each part of a competition goes to the agent that it names."""
        for part in parts:
            agent = self._fleet.get(part.agent_id)
            if agent is None:
                sheet.put(ended(part, RunStatus.FAILED, sheet.now, f"the agent {part.agent_id} was removed"))
            else:
                self.give(part, agent, sheet, is_new=True)

    def cancel(self, run: Run, why: str, sheet: Sheet) -> None:
        """End an open run, its parts too, and tell whoever works on it."""
        self.cancel_parts(run, why, sheet)
        command = self._book.commands.get(run.id)
        if command is not None:
            self.withdraw(command, why, sheet)
        agent = self._fleet.get(run.agent_id)
        is_at_it = command is None or command.state is not CommandState.REQUESTED
        if agent is not None and is_at_it and self._takers.is_connected(agent):
            asker = run.by or "clawatch"
            sheet.ask(self._commands.drafted(agent, CommandType.CANCEL, {"runId": run.id}, asker, sheet.now))
        sheet.put(ended(run, RunStatus.CANCELLED, sheet.now, why))

    def cancel_parts(self, run: Run, why: str, sheet: Sheet) -> None:
        for part in self._book.parts.get(run.id, {}).values():
            if part.is_open:
                self.cancel(part, why, sheet)

    def withdraw(self, command: Command, why: str, sheet: Sheet) -> None:
        sheet.edges += self._commands.withdrawn(command, why, sheet.now)
