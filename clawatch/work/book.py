"""The book: every piece of work that is under way, as the journal has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command
from clawatch.domain.journal import CommandChanged, Committed, EntryKind, Removed, RunChanged
from clawatch.domain.runs import TERMINAL, Run, RunStatus, RunTotal
from clawatch.domain.work import COMPETITION, LEARNING, WORK, Record, shortened

_TOLD = frozenset({EntryKind.RUN, EntryKind.COMMAND, EntryKind.AGENT})


@dataclass
class News:
    """What is to be looked at, in order."""

    runs: dict[str, None] = field(default_factory=dict)
    """Open runs that something has happened to."""
    fresh: dict[str, None] = field(default_factory=dict)
    """Runs that wait and for which nobody has been looked for yet."""
    free: dict[str, None] = field(default_factory=dict)
    """Agents that may have become able to take something."""


class Book:
    """Follows the store's commits; nothing here is written but by them.

    What has changed and is to be looked at stands in its news until somebody takes them.
    """

    def __init__(self) -> None:
        self.open: dict[str, Run] = {}
        """What was asked for here and goes on, by id, the oldest first."""
        self.parts: dict[str, dict[str, Run]] = {}
        """Of each open competition, the runs that it is made of."""
        self.commands: dict[str, Command] = {}
        """The newest state of each open run's command, by the run's id."""
        self._news = News()
        self.changed = asyncio.Event()
        """Set when there may be something to do."""
        self._held: dict[str, dict[str, None]] = {}
        self._waiting: dict[str, dict[str, None]] = {}
        self._by_command: dict[str, str] = {}
        self._used: dict[str, int] = {}
        self._uses = 0
        self._records: dict[str, Record] = {}
        self._awaited: dict[str, set[asyncio.Future[Run]]] = {}

    # -- reading

    def held_by(self, agent_id: str) -> list[Run]:
        """What the agent has been given and goes on, the oldest first."""
        return [self.open[run_id] for run_id in self._held.get(agent_id, ())]

    def waiting_for(self, kind: str) -> list[Run]:
        """What waits for an agent of this kind, the oldest first."""
        return [self.open[run_id] for run_id in self._waiting.get(kind, ())]

    def used(self, agent_id: str) -> int:
        """Grows with each use, so the smallest was used least recently; 0: never."""
        return self._used.get(agent_id, 0)

    def record(self, agent_id: str) -> Record:
        return self._records.get(agent_id) or Record()

    async def end_of(self, run_id: str) -> Run:
        """Wait for the end of an open run."""
        future: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        waiters = self._awaited.setdefault(run_id, set())
        waiters.add(future)
        try:
            return await future
        finally:
            waiters.discard(future)
            if not waiters:
                self._awaited.pop(run_id, None)

    # -- what is new

    def take_news(self) -> News:
        self.changed.clear()
        news, self._news = self._news, News()
        return news

    def give_back(self, news: News) -> None:
        """It could not be dealt with; it comes again."""
        self._news.runs.update(news.runs)
        self._news.fresh.update(news.fresh)
        self._news.free.update(news.free)

    def remember_the_late(self) -> None:
        """Time alone may end these: competitions, and what was answered but goes on."""
        self._news.runs.update(dict.fromkeys(self.parts))
        answered = (run_id for run_id, command in self.commands.items() if not command.is_open)
        self._news.runs.update(dict.fromkeys(answered))

    # -- following

    def load(self, runs: Iterable[Run], totals: Iterable[RunTotal]) -> None:
        """Begin with what the store has."""
        for run in runs:
            self._file(run, None)
        for total in totals:
            if total.agent_id:
                self._sum_up(total)

    def take_part(self, run: Run) -> None:
        """How a part of an open competition stands; of an answer no more than anybody is shown."""
        if run.parent in self.parts:
            self.parts[run.parent][run.id] = replace(run, result=shortened(run.result))

    def take_command(self, command: Command) -> None:
        run_id = self._by_command.get(command.id)
        if run_id is not None:
            self.commands[run_id] = command
            self._tell_of(run_id)

    def apply(self, committed: Committed) -> None:
        for entry in committed.entries:
            if entry.kind not in _TOLD:
                continue
            match entry.body:
                case RunChanged() as changed:
                    self._take_run(changed)
                case CommandChanged(command=command):
                    self.take_command(command)
                case Removed(agent_id=agent_id):
                    self._records.pop(agent_id, None)
                    self._used.pop(agent_id, None)
        if self._held or self._waiting:
            self._look_at(committed.agents)

    def _look_at(self, agents: dict[str, Agent | None]) -> None:
        for agent_id, agent in agents.items():
            held = self._held.get(agent_id)
            if held is not None:
                self._news.runs.update(held)
                self.changed.set()
            if agent is not None and agent.kind in self._waiting:
                self._set_free(agent_id)

    def _set_free(self, agent_id: str) -> None:
        self._news.free[agent_id] = None
        self.changed.set()

    def _take_run(self, changed: RunChanged) -> None:
        run = changed.run
        self._count(changed)
        if not run.by:
            return
        before = self.open.get(run.id)
        if before is not None:
            self._unfile(before)
        if run.is_open:
            self._file(run, before)
        else:
            self._close(run)
        if run.parent in self.parts:
            self.take_part(run)
            self._tell_of(run.parent)

    def _file(self, run: Run, before: Run | None) -> None:
        if run.kind != COMPETITION:
            run = replace(run, result=None)  # the store has it; nothing here asks for what is not final
        self.open[run.id] = run
        if run.kind == COMPETITION:
            self.parts.setdefault(run.id, {})
            self._tell_of(run.id)
        elif run.agent_id:
            self._held.setdefault(run.agent_id, {})[run.id] = None
            if run.command_id:
                self._by_command[run.command_id] = run.id
            if before is None or before.agent_id != run.agent_id:
                self._uses += 1
                self._used[run.agent_id] = self._uses
                self._tell_of(run.id)  # its agent may have gone in between
        else:
            self.commands.pop(run.id, None)
            self._waiting.setdefault(run.for_kind, {})[run.id] = None
            self._news.fresh[run.id] = None
            self.changed.set()

    def _unfile(self, run: Run) -> None:
        _drop(self._held, run.agent_id, run.id)
        _drop(self._waiting, run.for_kind, run.id)
        self._by_command.pop(run.command_id, None)
        self._news.fresh.pop(run.id, None)

    def _close(self, run: Run) -> None:
        for kept in (self.open, self.commands, self.parts):
            kept.pop(run.id, None)
        if run.agent_id and self._waiting:
            self._set_free(run.agent_id)
        for future in self._awaited.get(run.id, ()):
            if not future.done():
                future.set_result(run)

    def _tell_of(self, run_id: str) -> None:
        self._news.runs[run_id] = None
        self.changed.set()

    def _count(self, changed: RunChanged) -> None:
        run = changed.run
        if not run.agent_id:
            return
        if run.kind == LEARNING and (changed.was is None or changed.moved_from == ""):
            self._record_of(run.agent_id).learning_cycles += 1
        has_ended = not run.is_open and changed.was not in TERMINAL
        if has_ended and run.kind in WORK:
            self._sum_up(RunTotal(run.agent_id, run.kind, run.status, 1, run.ended_at - run.started_at))

    def _sum_up(self, total: RunTotal) -> None:
        record = self._record_of(total.agent_id)
        if total.kind == LEARNING:
            record.learning_cycles += total.count
        elif total.kind in WORK and total.status is RunStatus.COMPLETED:
            record.completed += total.count
            record.duration += total.duration
        elif total.kind in WORK and total.status is RunStatus.FAILED:
            record.failed += total.count

    def _record_of(self, agent_id: str) -> Record:
        return self._records.setdefault(agent_id, Record())


def _drop(sets: dict[str, dict[str, None]], key: str, member: str) -> None:
    members = sets.get(key)
    if members is not None:
        members.pop(member, None)
        if not members:
            del sets[key]
