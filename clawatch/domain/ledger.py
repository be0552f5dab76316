"""The ledger: what a commit makes of events and edges. Pure; every store keeps its books with it.

A store opens one ``Posting`` per transaction, posts everything to it, and writes down what the posting
has gathered: rows, agents, idents, counters, session usage and rollup increments.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.agents import Agent, enrol, fold, with_control
from clawatch.domain.alerts import AlertType
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Counter, Event, EventType, Ident, Tool, Usage, idents
from clawatch.domain.journal import (
    AlertChanged,
    Appended,
    Body,
    CommandChanged,
    ControlChanged,
    Counted,
    Edge,
    Entry,
    Fill,
    Measures,
    Removed,
    RunChanged,
    Silenced,
    agent_of,
    kind_of,
)
from clawatch.domain.runs import Run, fold_run
from clawatch.domain.time import MINUTE, Millis


class CounterState(Struct, frozen=True):
    started: Millis
    value: int


Cell = tuple[Millis, str]
"""(minute, model)."""
SessionKey = tuple[str, str]
"""(agent id, session id)."""


class Books(Protocol):
    """What a store can look up, as of the last commit."""

    def seq_of(self, ident: Ident) -> int | None: ...
    def event(self, seq: int) -> Event | None: ...
    def agent(self, agent_id: str) -> Agent | None: ...
    def run(self, run_id: str) -> Run | None: ...
    def counter(self, series: str) -> CounterState | None: ...
    def session_rank(self, session: SessionKey) -> int | None: ...
    def session_cells(self, session: SessionKey) -> dict[Cell, Measures]: ...


class Posting:
    """One transaction's bookkeeping. Throw it away when the transaction fails: nothing else has changed."""

    def __init__(self, books: Books, next_seq: int, now: Millis) -> None:
        self._books = books
        self._next_seq = next_seq
        self._now = now
        self.entries: list[Entry] = []
        self.rewritten: dict[int, Event] = {}
        """Events of earlier rows that a later report has completed, by seq."""
        self.agents: dict[str, Agent | None] = {}
        self.runs: dict[str, Run] = {}
        self.idents: dict[Ident, int] = {}
        self.counters: dict[str, CounterState] = {}
        self.session_ranks: dict[SessionKey, int] = {}
        self.session_cells: dict[SessionKey, dict[Cell, Measures]] = {}
        """What the session's signal has added in this posting."""
        self.superseded: set[SessionKey] = set()
        """Sessions whose earlier cells are void: a better signal has taken over."""
        self.rollups: dict[tuple[Millis, str, str], Measures] = {}
        """(minute, agent, model) → increment."""

    # -- events

    def event(self, event: Event, owner: str = "") -> Appended:
        """Post one event: a new row, or what it adds to the row that is already there."""
        names = idents(event)
        for name in names:
            seq = self._seq_of(name)
            if seq is not None:
                if name is names[0] and event.call_id is not None:
                    self._complete(seq, event)
                return Appended(seq, False)
        agent = self._agent(event.agent_id) or enrol(event, self._now, owner)
        event = self._settle_counters(event)
        counted = self._count(event)
        seq = self._write(event, counted)
        for name in names:
            self.idents[name] = seq
        self._book(agent.id, counted)
        self.agents[agent.id] = _with_totals(fold(agent, event), counted)
        if event.run is not None:
            run = fold_run(self.runs.get(event.run.run_id) or self._books.run(event.run.run_id), event)
            self._post_run(run)
        return Appended(seq, True)

    def _complete(self, seq: int, event: Event) -> None:
        known = self.rewritten.get(seq) or self._books.event(seq) or self._posted_event(seq)
        if known is None:
            return  # pruned meanwhile
        filled = fill(known, event)
        if filled is known:
            return
        self.rewritten[seq] = filled
        counted = self._count_gain(known, filled)
        self._write(Fill(of=seq, event=filled), counted)
        self._book(event.agent_id, counted)
        agent = self._agent(event.agent_id)
        if agent is not None:
            self.agents[agent.id] = _with_totals(fold(agent, event), counted)

    def _count_gain(self, known: Event, filled: Event) -> tuple[Counted, ...]:
        usage = filled.usage if known.usage is None else None
        errors = int(filled.is_error) - int(known.is_error)
        if usage is None and not errors:
            return ()
        return self._count_with(filled, Measures(errors=errors), usage)

    def _posted_event(self, seq: int) -> Event | None:
        for entry in self.entries:
            if entry.seq == seq and isinstance(entry.body, Event):
                return entry.body
        return None

    def _settle_counters(self, event: Event) -> Event:
        if not event.counters:
            return event
        grown: dict[str, int] = {}
        for counter in event.counters:
            rise = self._rise(counter)
            grown[counter.measure] = grown.get(counter.measure, 0) + rise
        if not any(grown.values()):
            return replace(event, is_progress=False, type=EventType.HEARTBEAT, usage=None, counters=())
        usage = replace(event.usage or Usage(), **grown)
        return replace(event, usage=usage, counters=())

    def _rise(self, counter: Counter) -> int:
        """What a series has grown by; a point older than the newest one known adds nothing.

        Only a new start means that the count began again, or a fall where the start is not told (0).
        """
        known = self.counters.get(counter.series) or self._books.counter(counter.series)
        floor = 0
        if known is not None and counter.started <= known.started:
            is_fall = counter.value < known.value
            if counter.started < known.started or (is_fall and counter.started > 0):
                return 0
            floor = 0 if is_fall else known.value
        self.counters[counter.series] = CounterState(counter.started, counter.value)
        return counter.value - floor

    def _count(self, event: Event) -> tuple[Counted, ...]:
        """What a new event adds to the sums."""
        plain = Measures(
            events=1,
            errors=int(event.is_error),
            tool_calls=int(event.is_finished_call),
            messages=int(event.type is EventType.MESSAGE),
        )
        return self._count_with(event, plain, event.usage)

    def _count_with(self, event: Event, plain: Measures, usage: Usage | None) -> tuple[Counted, ...]:
        bucket = event.at - event.at % MINUTE
        if usage is None:
            return (Counted(bucket=bucket, measures=plain),)
        used = measures_of(usage)
        if event.rank == 0 or event.session_id is None:
            return (Counted(bucket=bucket, model=usage.model, measures=plain + used),)
        session = (event.agent_id, event.session_id)
        return (
            *self._count_session(session, event.rank, (bucket, usage.model), used),
            Counted(bucket=bucket, model=usage.model, measures=plain),
        )

    def _count_session(self, session: SessionKey, rank: int, cell: Cell, used: Measures) -> tuple[Counted, ...]:
        best = self.session_ranks.get(session)
        if best is None:
            best = self._books.session_rank(session)
        if best is not None and rank < best:
            return ()
        undone: tuple[Counted, ...] = ()
        if best is not None and rank > best:
            undone = tuple(Counted(bucket=b, model=m, measures=-s) for (b, m), s in self._cells(session).items())
            self.superseded.add(session)
            self.session_cells[session] = {}
        self.session_ranks[session] = rank
        cells = self.session_cells.setdefault(session, {})
        cells[cell] = cells[cell] + used if cell in cells else used
        return (*undone, Counted(bucket=cell[0], model=cell[1], measures=used))

    def _cells(self, session: SessionKey) -> dict[Cell, Measures]:
        cells = {} if session in self.superseded else dict(self._books.session_cells(session))
        for cell, added in self.session_cells.get(session, {}).items():
            cells[cell] = cells[cell] + added if cell in cells else added
        return cells

    # -- edges

    def edge(self, edge: Edge) -> Entry:
        """Post one edge: its row, and what it changes of its agent."""
        seq = self._write(edge, ())
        match edge:
            case ControlChanged():
                self._change_agent(edge.agent_id, lambda a: with_control(a, edge.control, self._now))
            case Silenced():
                self._change_agent(edge.agent_id, lambda a: replace(a, is_silent=True))
            case Removed():
                self.agents[edge.agent_id] = None
            case CommandChanged():
                activity = _confirmed_activity(edge)
                if activity is not None:
                    self._change_agent(edge.command.agent_id, lambda a: replace(a, activity=activity))
            case AlertChanged():
                if edge.alert.type is AlertType.STUCK and not edge.alert.is_firing:
                    self._change_agent(edge.alert.agent_id, lambda a: replace(a, is_silent=False))
            case RunChanged():
                self.runs[edge.run.id] = edge.run
        return self.entries[seq - self.entries[0].seq]

    def _post_run(self, run: Run) -> None:
        self.runs[run.id] = run
        self._write(RunChanged(run=run), ())

    # -- the books, with this posting's own changes on top

    def _seq_of(self, ident: Ident) -> int | None:
        seq = self.idents.get(ident)
        return self._books.seq_of(ident) if seq is None else seq

    def _agent(self, agent_id: str) -> Agent | None:
        return self.agents[agent_id] if agent_id in self.agents else self._books.agent(agent_id)

    def _change_agent(self, agent_id: str, change: Change) -> None:
        agent = self._agent(agent_id)
        if agent is not None:
            self.agents[agent_id] = change(agent)

    def _write(self, body: Body, counted: tuple[Counted, ...]) -> int:
        seq = self._next_seq
        self._next_seq += 1
        self.entries.append(
            Entry(seq=seq, at=self._now, kind=kind_of(body), agent_id=agent_of(body), body=body, counted=counted)
        )
        return seq

    def _book(self, agent_id: str, counted: tuple[Counted, ...]) -> None:
        for one in counted:
            key = (one.bucket, agent_id, one.model)
            known = self.rollups.get(key)
            self.rollups[key] = one.measures if known is None else known + one.measures


class Change(Protocol):
    def __call__(self, agent: Agent, /) -> Agent: ...


def measures_of(usage: Usage) -> Measures:
    total = usage.total
    return Measures(
        cost=usage.cost or 0,
        input=usage.input,
        output=usage.output,
        cache_read=usage.cache_read,
        cache_write=usage.cache_write,
        tokens=total,
        unpriced=total if usage.cost is None else 0,
    )


def fill(known: Event, later: Event) -> Event:
    """``known`` with its empty measures taken from ``later``; ``known`` itself when there is nothing to take.

    What the first report said stands (design §1, one call, one count).
    """
    changes: dict[str, object] = {
        field: getattr(later, field)
        for field in ("usage", "error", "latency_ms", "session_id", "activity")
        if getattr(known, field) is None and getattr(later, field) is not None
    }
    tool = _fill_tool(known.tool, later.tool)
    if tool is not known.tool:
        changes["tool"] = tool
    extra = {key: value for key, value in later.data.items() if key not in known.data}
    if extra:
        changes["data"] = {**known.data, **extra}
    return replace(known, **changes) if changes else known


def _fill_tool(known: Tool | None, later: Tool | None) -> Tool | None:
    if known is None or later is None:
        return known or later
    changes = {
        field: getattr(later, field)
        for field in ("args_hash", "result_hash", "args_size", "result_size", "ok")
        if getattr(known, field) is None and getattr(later, field) is not None
    }
    if later.is_blocked and not known.is_blocked:
        changes["is_blocked"] = True
    return replace(known, **changes) if changes else known


def _with_totals(agent: Agent, counted: tuple[Counted, ...]) -> Agent:
    cost = tokens = errors = calls = unpriced = 0
    for one in counted:
        m = one.measures
        cost += m.cost
        tokens += m.tokens
        errors += m.errors
        calls += m.tool_calls
        unpriced += m.unpriced
    if not (cost or tokens or errors or calls or unpriced):
        return agent
    return replace(
        agent,
        cost=agent.cost + cost,
        tokens=agent.tokens + tokens,
        error_count=agent.error_count + errors,
        tool_calls=agent.tool_calls + calls,
        unpriced_tokens=agent.unpriced_tokens + unpriced,
    )


def _confirmed_activity(edge: CommandChanged) -> Activity | None:
    if edge.command.state is not CommandState.CONFIRMED:
        return None
    return {CommandType.PAUSE: Activity.PAUSED, CommandType.STOP: Activity.STOPPED}.get(edge.command.type)


__all__ = ["Books", "CounterState", "Posting", "fill", "measures_of"]
