"""The memory store's books: plain dicts, brought forward by one posting at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace

from clawatch.domain.access import Key
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, Silence
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event, Ident, asked_for
from clawatch.domain.gauges import Gauge
from clawatch.domain.journal import Entry, Measures
from clawatch.domain.ledger import Cell, CounterState, Posting, SessionKey
from clawatch.domain.runs import TERMINAL, Run, RunKey
from clawatch.domain.sketches import Sketch
from clawatch.domain.spans import Kept
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis

GRAINS = (MINUTE, HOUR, DAY)
KEPT_AS = {MINUTE: "minutes", HOUR: "hours"}
"""The grains that are pruned, as ``spans.Kept`` names them."""
MOST = 10_000
"""How many of each small thing are kept: commands, alerts, runs, sessions, counters, logins."""

K = TypeVar("K")
V = TypeVar("V")
RollupKey = tuple[Millis, str, str]
"""(start of the bucket, agent id, model)."""


@dataclass
class Row:
    """A row of the outbox. ``holder`` is empty while nobody has claimed it."""

    outgoing: Outgoing
    next_at: Millis
    attempts: int = 0
    holder: str = ""
    until: Millis = 0


@dataclass
class Session:
    rank: int
    touched: Millis
    cells: dict[Cell, Measures] = field(default_factory=dict)


class MemoryBooks:
    """Everything there is, as of the last commit; implements ``ledger.Books``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.head = 0
        self.tail = 1
        self.journal: dict[int, Entry] = {}
        self.completed: dict[int, Event] = {}
        self.idents: dict[Ident, int] = {}
        self.agents: dict[str, Agent] = {}
        self.runs: dict[RunKey, Run] = {}
        self.alerts: dict[str, Alert] = {}
        self.commands: dict[str, Command] = {}
        self.counters: dict[str, tuple[CounterState, Millis]] = {}
        self.sessions: dict[SessionKey, Session] = {}
        self.rollups: dict[Millis, dict[RollupKey, Measures]] = {grain: {} for grain in GRAINS}
        self.latencies: dict[Millis, dict[tuple[Millis, str], Sketch]] = {grain: {} for grain in GRAINS}
        self.gauges: dict[Millis, dict[RollupKey, Gauge]] = {grain: {} for grain in GRAINS}
        """By the names of gauges in place of models."""
        self.kept = Kept()
        self.outbox: dict[str, Row] = {}
        self.refs: dict[tuple[str, str], str] = {}
        self.offsets: dict[str, int] = {}
        self.silences: dict[str, Silence] = {}
        self.keys: dict[str, Key] = {}
        self.secrets: dict[str, str] = {}
        self.marks: dict[str, dict[str, str]] = {}
        self.logins: dict[str, Millis] = {}
        self.ended_logins: dict[str, Millis] = {}

    # -- ledger.Books

    def seq_of(self, ident: Ident) -> int | None:
        return self.idents.get(ident)

    def event(self, seq: int) -> Event | None:
        if seq in self.completed:
            return self.completed[seq]
        entry = self.journal.get(seq)
        return entry.body if entry is not None and isinstance(entry.body, Event) else None

    def agent(self, agent_id: str) -> Agent | None:
        return self.agents.get(agent_id)

    def run(self, agent_id: str, run_id: str) -> Run | None:
        return self.runs.get((agent_id, run_id))

    def alert(self, alert_id: str) -> Alert | None:
        return self.alerts.get(alert_id)

    def counter(self, series: str) -> CounterState | None:
        known = self.counters.get(series)
        return None if known is None else known[0]

    def session_rank(self, session: SessionKey) -> int | None:
        known = self.sessions.get(session)
        return None if known is None else known.rank

    def session_cells(self, session: SessionKey) -> Mapping[Cell, Measures]:
        known = self.sessions.get(session)
        return {} if known is None else known.cells

    # -- writing

    def take_over(self, posting: Posting) -> None:
        """Make a posting's changes true."""
        for entry in posting.entries:
            self.journal[entry.seq] = entry
            self.head = entry.seq
        self.completed.update(posting.completed)
        self.idents.update(posting.idents)
        for agent_id, agent in posting.agents.items():
            if agent is None:
                self.agents.pop(agent_id, None)
            else:
                self.agents[agent_id] = agent
        for run_key, run in posting.runs.items():
            if run is None:
                self.runs.pop(run_key, None)
            else:
                self.runs[run_key] = run
        self.alerts.update(posting.alerts)
        self.commands.update(posting.commands)
        self.offsets.update(posting.offsets)
        self.counters.update({series: (state, posting.now) for series, state in posting.counters.items()})
        for row in posting.outbox.values():
            self.outbox.pop(row.id, None)
            self.outbox[row.id] = Row(row, row.next_at)
        self._take_over_sessions(posting)
        self._take_over_rollups(posting)
        self._bound()

    def _take_over_sessions(self, posting: Posting) -> None:
        for key, rank in posting.session_ranks.items():
            known = self.sessions.pop(key, None)
            cells = {} if known is None or key in posting.superseded else known.cells
            for cell, added in posting.session_cells.get(key, {}).items():
                cells[cell] = cells[cell] + added if cell in cells else added
            self.sessions[key] = Session(rank, posting.now, cells)

    def _take_over_rollups(self, posting: Posting) -> None:
        for (minute, agent_id, model), added in posting.rollups.items():
            for grain, rollup in self.rollups.items():
                key = (minute - minute % grain, agent_id, model)
                rollup[key] = rollup[key] + added if key in rollup else added
        for grain in GRAINS:
            for (minute, agent_id), sketch in posting.latencies.items():
                self.latencies[grain].setdefault((minute - minute % grain, agent_id), Sketch()).merge(sketch)
            gauges = self.gauges[grain]
            for (minute, agent_id, name), gauge in posting.gauges.items():
                key = (minute - minute % grain, agent_id, name)
                gauges[key] = gauges[key] + gauge if key in gauges else gauge

    def _bound(self) -> None:
        while len(self.journal) > self._size:
            self.forget_oldest()
        _trim(self.alerts, lambda alert: alert.state is AlertState.RESOLVED)
        _trim(self.commands, lambda command: not command.is_open)
        _trim(self.runs, lambda run: run.status in TERMINAL)
        _trim(self.sessions)
        _trim(self.counters)
        _trim(self.refs)
        for grain in GRAINS:
            if len(self.rollups[grain]) > self._size:
                oldest = sorted(self.rollups[grain])[: max(1, self._size // 10)]
                self.forget_rollups(grain, oldest)
            _trim(self.latencies[grain], most=self._size)
            _trim(self.gauges[grain], most=self._size)

    def forget_rollups(self, grain: Millis, keys: Sequence[RollupKey]) -> None:
        """Drop rows of one grain, oldest first."""
        for key in keys:
            del self.rollups[grain][key]
        if keys and grain in KEPT_AS:
            name = KEPT_AS[grain]
            complete_from = max(getattr(self.kept, name), keys[-1][0] + grain)
            self.kept = replace(self.kept, **{name: complete_from})

    def forget_oldest(self) -> None:
        """Drop the oldest entry and the names it goes by."""
        entry = self.journal.pop(self.tail)
        self.tail += 1
        self.completed.pop(entry.seq, None)
        self.kept = replace(self.kept, events=max(self.kept.events, entry.at + 1))
        if isinstance(entry.body, Event):
            for ident in asked_for(entry.body):
                if self.idents.get(ident) == entry.seq:
                    del self.idents[ident]


def _trim(kept: dict[K, V], is_done: Callable[[V], bool] | None = None, most: int = MOST) -> None:
    """Drop what came first beyond ``most``, but only what is done with."""
    surplus = len(kept) - most
    if surplus > 0:
        done = (key for key, value in kept.items() if is_done is None or is_done(value))
        for key in list(islice(done, surplus)):
            del kept[key]


__all__ = ["GRAINS", "MemoryBooks", "Row", "Session"]
