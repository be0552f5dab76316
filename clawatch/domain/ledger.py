"""The ledger: what a commit makes of events and edges. Pure; every store keeps its books with it.

A store opens one ``Posting`` per transaction, posts everything to it, and writes down what the posting
has gathered: rows, agents, idents, counters, session usage, rollup increments with latencies and gauges, alerts,
outbox, offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.agents import Agent, enrol, fold, with_control, with_session_cost
from clawatch.domain.alerts import Alert
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import (
    Activity,
    Counter,
    Event,
    EventType,
    Ident,
    Origin,
    Usage,
    asked_for,
    ident_of,
    idents,
)
from clawatch.domain.fills import fill
from clawatch.domain.gauges import LATENCY, MOST_GAUGES, Gauge, billionths, is_kept, is_rolling, reading
from clawatch.domain.journal import (
    ZERO,
    AlertChanged,
    Appended,
    Body,
    CommandChanged,
    ControlChanged,
    Counted,
    Edge,
    Entry,
    EntryKind,
    Fill,
    Measures,
    Removed,
    RunChanged,
    Silenced,
    Unit,
    agent_of,
    kind_of,
)
from clawatch.domain.runs import Run, RunKey, fold_run, merged
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import MINUTE, Millis

MOST = 10**18
"""The largest measure one report can add: a sender's absurd number must not overflow everybody's sums."""
_MOST_IN_TOTAL = 2**63 - 1


class CounterState(Struct, frozen=True):
    """The newest point of a series. A gauge's has the time of its reading, and its value in billionths."""

    started: Millis
    value: int


Cell = tuple[Millis, str]
"""(minute, model)."""
SessionKey = tuple[str, str]
"""(agent id, session id)."""


class Books(Protocol):
    """What a store can look up, as of the last commit."""

    def seq_of(self, ident: Ident) -> int | None: ...
    def event(self, seq: int) -> Event | None:
        """The event of a row, in its completed form; None when it is pruned or no event."""
        ...

    def agent(self, agent_id: str) -> Agent | None: ...
    def run(self, agent_id: str, run_id: str) -> Run | None: ...
    def alert(self, alert_id: str) -> Alert | None: ...
    def counter(self, series: str) -> CounterState | None: ...
    def session_rank(self, session: SessionKey) -> int | None: ...
    def session_cells(self, session: SessionKey) -> Mapping[Cell, Measures]: ...


class Posting:
    """One transaction's bookkeeping. Throw it away when the transaction fails: nothing else has changed."""

    def __init__(self, books: Books, next_seq: int, now: Millis) -> None:
        self._books = books
        self._first_seq = self._next_seq = next_seq
        self.now = now
        """The time of what is posted next; a transaction shared by several writers sets it for each."""
        self.entries: list[Entry] = []
        self.completed: dict[int, Event] = {}
        """Events that a later report has completed, by seq. Their rows in the journal stay as they were."""
        self.agents: dict[str, Agent | None] = {}
        self.runs: dict[RunKey, Run | None] = {}
        """None: kept under another agent now."""
        self.alerts: dict[str, Alert] = {}
        self.commands: dict[str, Command] = {}
        self.outbox: dict[str, Outgoing] = {}
        self.offsets: dict[str, int] = {}
        self.idents: dict[Ident, int] = {}
        self.counters: dict[str, CounterState] = {}
        self.session_ranks: dict[SessionKey, int] = {}
        self.session_cells: dict[SessionKey, dict[Cell, Measures]] = {}
        """What the session's signal has added in this posting."""
        self.superseded: set[SessionKey] = set()
        """Sessions whose earlier cells are void: a better signal has taken over."""
        self.rollups: dict[tuple[Millis, str, str], Measures] = {}
        """(minute, agent, model) → increment."""
        self.latencies: dict[tuple[Millis, str], Sketch] = {}
        """(minute, agent) → what took how long."""
        self.gauges: dict[tuple[Millis, str, str], Gauge] = {}
        """(minute, agent, name) → readings."""

    # -- events

    def event(self, event: Event, owner: str = "", names: Sequence[Ident] | None = None) -> Appended:
        """Post one event: a new row, or what it adds to the row that is already there.

        ``names`` are the event's idents where the store has them already.
        """
        if event.instead_of is not None:
            self._take_back(event.instead_of, event.id)
        if names is None:
            names = idents(event)
        for name in names:
            seq = self._seq_of(name)
            if seq is not None:
                if event.call_id is not None and name is names[0]:
                    self._complete(seq, event)
                return Appended(seq, False)
        agent = self._agent(event.agent_id) or enrol(event, self.now, owner, self._next_seq)
        if event.counters:
            event = self._settle_counters(event)
        counted = self._count(event)
        seq = self._write(event, EntryKind.EVENT, event.agent_id, counted)
        for name in names if event.instead_of is None else asked_for(event):
            self.idents[name] = seq
        self._book(event.agent_id, counted)
        if event.gauges:
            self._read_gauges(event)
        if event.latency_ms is not None:
            self._time(event, event.latency_ms)
        self.agents[event.agent_id] = with_totals(fold(agent, event), event.session_id, counted)
        if event.run is not None:
            self._post_run((event.agent_id, event.run.run_id), event)
        return Appended(seq, True)

    def _complete(self, seq: int, event: Event) -> None:
        known = self._event(seq)
        if known is None or known.is_moved:
            return  # pruned meanwhile, or told once more of the agent that it was first taken for
        filled = fill(known, event)
        if filled is known:
            return
        self.completed[seq] = filled
        counted = self._count_gain(known, filled)
        if known.latency_ms is None and filled.latency_ms is not None:
            self._time(filled, filled.latency_ms)
        self._write(Fill(of=seq, event=filled, said=_of_its_agent(event)), EntryKind.FILL, event.agent_id, counted)
        self._book(event.agent_id, counted)
        agent = self._agent(event.agent_id)
        if agent is not None and seq >= agent.first_seq:
            self.agents[agent.id] = with_totals(fold(agent, event), event.session_id, counted)

    def _take_back(self, agent_id: str, event_id: str | None) -> None:
        """What an event has counted for an agent that turned out to be the wrong one."""
        seq = None if event_id is None else self._seq_of(ident_of(agent_id, event_id))
        known = None if seq is None else self._event(seq)
        if seq is None or known is None or known.is_moved or known.agent_id != agent_id:
            return
        moved = self.completed[seq] = Event(
            agent_id=agent_id, type=EventType.HEARTBEAT, at=known.at, received_at=known.received_at, id=known.id,
            session_id=known.session_id, call_id=known.call_id, phase=known.phase, signal=known.signal,
            origin=known.origin, source=known.source, is_progress=False, is_hidden=True, is_moved=True,
        )
        counted = self._count_loss(known)
        self._write(Fill(of=seq, event=moved), EntryKind.FILL, agent_id, counted)
        self._book(agent_id, counted)
        agent = self._agent(agent_id)
        if agent is not None and seq >= agent.first_seq:
            self.agents[agent_id] = with_totals(agent, known.session_id, counted)

    def _settle_counters(self, event: Event) -> Event:
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

    def _post_run(self, key: RunKey, event: Event) -> None:
        known = self._run(key)
        run = self.runs[key] = fold_run(known, event)
        self._write(RunChanged(run=run, was=None if known is None else known.status), EntryKind.RUN, run.agent_id, ())

    def _settle_run(self, edge: RunChanged) -> RunChanged:
        """The edge as it stands after what its agent has said of the run meanwhile."""
        run = edge.run
        from_key = run.key if edge.moved_from is None else (edge.moved_from, run.id)
        known = self._run(from_key)
        if from_key != run.key:
            self.runs[from_key] = None
        run = self.runs[run.key] = merged(known, run)
        return replace(edge, run=run, was=None if known is None else known.status)

    def _run(self, key: RunKey) -> Run | None:
        return self.runs[key] if key in self.runs else self._books.run(*key)

    # -- counting

    def _count(self, event: Event) -> tuple[Counted, ...]:
        """What a new event adds to the sums."""
        plain = _plain(event)
        if event.usage is None:
            return (Counted(bucket=event.at - event.at % MINUTE, measures=plain),)
        return self._count_with(event, event.usage, plain, _used(event, event.usage))

    def _count_loss(self, event: Event) -> tuple[Counted, ...]:
        """What an event that is another agent's takes back of what it has counted."""
        plain = -_plain(event)
        if event.usage is None:
            return (Counted(bucket=event.at - event.at % MINUTE, measures=plain),)
        return self._count_with(event, event.usage, plain, -_used(event, event.usage))

    def _count_gain(self, known: Event, filled: Event) -> tuple[Counted, ...]:
        """What a completed event adds to what it has counted before."""
        counted: list[Counted] = []
        if filled.usage is not known.usage:
            if known.usage is not None:
                counted += self._count_with(known, known.usage, ZERO, -_used(known, known.usage))
            if filled.usage is not None:
                counted += self._count_with(filled, filled.usage, ZERO, _used(filled, filled.usage))
        gain = Measures(
            errors=1 if filled.is_error and not known.is_error else 0,
            revenue=min(filled.revenue, MOST) if filled.revenue and known.revenue is None else 0,
        )
        if gain:
            counted.append(Counted(bucket=filled.at - filled.at % MINUTE, measures=gain))
        return tuple(counted)

    def _count_with(self, event: Event, usage: Usage, plain: Measures, used: Measures) -> tuple[Counted, ...]:
        cell = (event.at - event.at % MINUTE, usage.model)
        if event.rank == 0 or event.session_id is None:
            return (Counted(bucket=cell[0], model=usage.model, measures=plain + used),)
        counted = self._count_session((event.agent_id, event.session_id), event.rank, cell, used)
        return (*counted, Counted(bucket=cell[0], model=usage.model, measures=plain)) if plain else counted

    def _count_session(self, session: SessionKey, rank: int, cell: Cell, used: Measures) -> tuple[Counted, ...]:
        best = self.session_ranks.get(session)
        if best is None:
            best = self._books.session_rank(session)
        if best is not None and rank < best:
            return ()
        undone: tuple[Counted, ...] = ()
        if best is not None and rank > best:
            undone = tuple(Counted(bucket=b, model=m, measures=-s) for (b, m), s in self._cells(session).items() if s)
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

    def _book(self, agent_id: str, counted: tuple[Counted, ...]) -> None:
        for one in counted:
            key = (one.bucket, agent_id, one.model)
            known = self.rollups.get(key)
            self.rollups[key] = one.measures if known is None else known + one.measures

    # -- latencies and gauges

    def _time(self, event: Event, ms: float) -> None:
        if ms >= 0:  # neither negative nor no number at all
            key = (event.at - event.at % MINUTE, event.agent_id)
            self.latencies.setdefault(key, Sketch()).add(ms)

    def _read_gauges(self, event: Event) -> None:
        minute = event.at - event.at % MINUTE
        for name, value in islice(event.gauges.items(), MOST_GAUGES):
            if not is_kept(name, value):
                continue
            rise = self._rise_of(event.agent_id, name, event.at, value) if is_rolling(name) else 0
            read = reading(value, event.at, rise)
            key = (minute, event.agent_id, name)
            known = self.gauges.get(key)
            self.gauges[key] = read if known is None else known + read
        latency = event.gauges.get(LATENCY)
        if latency is not None and event.latency_ms is None:
            self._time(event, latency)

    def _rise_of(self, agent_id: str, name: str, at: Millis, value: float) -> int:
        """What a rolling count has risen by since the reading before; 0 for the first, and for one that comes late."""
        series = f"gauge\n{agent_id}\n{name}"
        known = self.counters.get(series) or self._books.counter(series)
        if known is not None and at < known.started:
            return 0
        count = self.counters[series] = CounterState(at, billionths(value))
        return 0 if known is None else max(0, count.value - known.value)

    # -- units and edges

    def moved_on(self, expected: Mapping[str, int]) -> str | None:
        """The id of an alert that is gone or has another version than ``expected``; ask before ``unit``."""
        for alert_id, version in expected.items():
            alert = self.alerts.get(alert_id) or self._books.alert(alert_id)
            if alert is None or alert.version != version:
                return alert_id
        return None

    def unit(self, unit: Unit) -> list[Entry]:
        """Post everything a unit holds; the rows of its edges, in their order."""
        entries = [self.edge(edge) for edge in unit.edges]
        for row in unit.outbox:
            self.outbox.pop(row.id, None)  # a replaced row goes to the end of its thread
            self.outbox[row.id] = row
        self.offsets.update(unit.offsets)
        return entries

    def edge(self, edge: Edge) -> Entry:
        """Post one edge: its row, and what it changes of its agent."""
        if isinstance(edge, RunChanged):
            edge = self._settle_run(edge)
        seq = self._write(edge, kind_of(edge), agent_of(edge), ())
        match edge:
            case ControlChanged():
                self._change_agent(edge.agent_id, lambda a: with_control(a, edge.control, self.now))
            case Silenced():
                self._change_agent(edge.agent_id, lambda a: replace(a, is_silent=True))
            case Removed():
                self.agents[edge.agent_id] = None
            case CommandChanged():
                self._post_command(edge.command)
            case AlertChanged():
                self._post_alert(edge.alert)
        return self.entries[seq - self._first_seq]

    def _post_command(self, command: Command) -> None:
        self.commands[command.id] = command
        activity = confirmed_activity(command)
        if activity is not None:
            self._change_agent(command.agent_id, lambda a: replace(a, activity=activity))

    def _post_alert(self, alert: Alert) -> None:
        self.alerts[alert.id] = alert
        if alert.says_silent and not alert.is_firing:
            self._change_agent(alert.agent_id, lambda a: replace(a, is_silent=False))

    # -- the books, with this posting's own changes on top

    def _seq_of(self, ident: Ident) -> int | None:
        seq = self.idents.get(ident)
        return self._books.seq_of(ident) if seq is None else seq

    def _event(self, seq: int) -> Event | None:
        if seq in self.completed:
            return self.completed[seq]
        if seq < self._first_seq:
            return self._books.event(seq)
        body = self.entries[seq - self._first_seq].body
        return body if isinstance(body, Event) else None

    def _agent(self, agent_id: str) -> Agent | None:
        return self.agents[agent_id] if agent_id in self.agents else self._books.agent(agent_id)

    def _change_agent(self, agent_id: str, change: Change) -> None:
        agent = self._agent(agent_id)
        if agent is not None:
            self.agents[agent_id] = change(agent)

    def _write(self, body: Body, kind: EntryKind, agent_id: str, counted: tuple[Counted, ...]) -> int:
        seq = self._next_seq
        self._next_seq = seq + 1
        self.entries.append(Entry(seq=seq, at=self.now, kind=kind, agent_id=agent_id, body=body, counted=counted))
        return seq


class Change(Protocol):
    def __call__(self, agent: Agent, /) -> Agent: ...


def measures_of(usage: Usage) -> Measures:
    total = min(usage.total, MOST)
    return Measures(
        cost=min(usage.cost or 0, MOST),
        input=min(usage.input, MOST),
        output=min(usage.output, MOST),
        cache_read=min(usage.cache_read, MOST),
        cache_write=min(usage.cache_write, MOST),
        tokens=total,
        unpriced=total if usage.cost is None else 0,
    )


def _plain(event: Event) -> Measures:
    return Measures(
        events=1,
        errors=1 if event.is_error else 0,
        tool_calls=1 if event.is_finished_call else 0,
        messages=1 if event.type is EventType.MESSAGE else 0,
        revenue=min(event.revenue or 0, MOST),
    )


def _used(event: Event, usage: Usage) -> Measures:
    """What an event's usage adds; money read from the past is marked as such."""
    used = measures_of(usage)
    return replace(used, past_cost=used.cost) if event.origin is Origin.HISTORY and used.cost else used


def counts(event: Event, rank_of: Callable[[SessionKey], int | None]) -> bool:
    """Whether the sums hold this event's usage: only the best signal of its session counts, whenever it came.

    ``rank_of`` gives a session's best rank so far.
    """
    if event.rank == 0 or event.session_id is None:
        return True
    best = rank_of((event.agent_id, event.session_id))
    return best is None or event.rank >= best


def with_totals(agent: Agent, session_id: str | None, counted: tuple[Counted, ...]) -> Agent:
    """Never below 0: what a better signal takes back may have been spent before the agent was removed and came anew."""
    cost = past = tokens = errors = calls = unpriced = 0
    for one in counted:
        m = one.measures
        cost += m.cost
        past += m.past_cost
        tokens += m.tokens
        errors += m.errors
        calls += m.tool_calls
        unpriced += m.unpriced
    if not (cost or tokens or errors or calls or unpriced):
        return agent
    return replace(
        agent,
        cost=_total(agent.cost + cost),
        past_cost=_total(agent.past_cost + past),
        session_costs=with_session_cost(agent, session_id, cost - past),
        tokens=_total(agent.tokens + tokens),
        error_count=agent.error_count + errors,
        tool_calls=agent.tool_calls + calls,
        unpriced_tokens=_total(agent.unpriced_tokens + unpriced),
    )


def _of_its_agent(event: Event) -> Event:
    """What a report says of its agent itself, its measures left out."""
    return replace(
        event, id=None, data={}, usage=None, counters=(), latency_ms=None, revenue=None, gauges={}, run=None,
        error=None if event.error is None else event.error[:200],
    )  # fmt: skip


def _total(amount: int) -> int:
    return max(0, min(amount, _MOST_IN_TOTAL))


def confirmed_activity(command: Command) -> Activity | None:
    if command.state is not CommandState.CONFIRMED:
        return None
    return {CommandType.PAUSE: Activity.PAUSED, CommandType.STOP: Activity.STOPPED}.get(command.type)


__all__ = [
    "MOST", "Books", "Cell", "CounterState", "Posting", "SessionKey", "confirmed_activity", "counts", "fill",
    "measures_of", "with_totals",
]  # fmt: skip
