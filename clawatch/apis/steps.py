"""Steps of agents' runs: what the spans of most conventions come to. Public.

A vocabulary reads each span to a ``Step``, or passes it over; the rest is the same for all. Only calls of a model
count usage, never the totals that agents' spans repeat. A run is told when it ends: until then the steps of an agent
that is known to tell its runs say that a turn is open, and the run's own span closes it. Other steps open none, since
nobody would close it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from clawatch.apis.attributes import MAX_TEXT, text
from clawatch.apis.identity import AGENT_ID, Who, identify
from clawatch.apis.recent import Recent
from clawatch.apis.telemetry import SPAN_RANK, LogRecord, SpanRecord
from clawatch.apis.traces import Lineage, Place, Run, Trace, Traces, Waiting
from clawatch.domain.events import Activity, Event, EventType, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.time import Millis

SOURCE = "otlp"
_MAX_STAGED = 10_000
_TURN = 32
"""Records after which others may have theirs."""


class StepKind(StrEnum):
    MODEL = "model"
    TOOL = "tool"
    AGENT = "agent"
    """An agent's run; it comes when the run has ended."""
    NAME = "name"
    """It names the agent of what is below it, and stands for nothing else."""


class Step(Struct, frozen=True, kw_only=True, gc=False):
    """What a span, or a log record that tells as much, stands for."""

    kind: StepKind
    agent: str | None = None
    """The agent's name, where the record itself tells it."""
    session: str | None = None
    """None: the trace stands for it."""
    call_id: str | None = None
    """None: the span's id."""
    usage: Usage | None = None
    tool: Tool | None = None
    is_error: bool = False
    data: dict[str, Any] = {}


Told = SpanRecord | LogRecord
Read = Callable[[Any], Step | None]


class Identify(Protocol):
    """As ``identity.identify``."""

    def __call__(
        self, resource: Mapping[str, Any], attributes: Mapping[str, Any], kind: str, agent: str | None = None,
        session: str | None = None, /,
    ) -> Who: ...


class Batch(Struct):
    """What one request says of one trace."""

    trace_id: str
    seen: Trace
    waits: bool = False
    is_learnt: bool = False


class Staged(Struct):
    """What is to be remembered once an event has been stored."""

    event: Event
    """Kept, so that no other event can be taken for it."""
    batch: Batch
    waiting: Waiting | None = None
    settles: Waiting | None = None


Known = dict[tuple[int, str | None, str | None, str | None], Who]


class Steps:
    """The steps of one vocabulary's clients. ``rank`` is that of their usage.

    ``are_sessions``: the agents are sessions, and an agent's name is its session's id. ``are_hidden``: a better signal
    usually shows the same, so that nobody needs to read them.
    """

    def __init__(
        self, kind: str, read: Read, rank: int = SPAN_RANK, whose: Identify = identify, are_sessions: bool = False,
        are_hidden: bool = False,
    ) -> None:
        self._kind = kind
        self._read = read
        self._rank = rank
        self._whose = whose
        self._are_sessions = are_sessions
        self._are_hidden = are_hidden
        self._runners: Recent[str] = Recent()
        """Agents whose runs are told when they end, so that a run that is not told is still open."""
        self._traces = Traces()
        self._staged: OrderedDict[int, Staged] = OrderedDict()

    def map(
        self,
        records: Iterable[Told],
        now: Millis,
        counted: Callable[[Told, Event], None] | None = None,
        read: Read | None = None,
    ) -> Iterator[Event | None]:
        """As ``ports.Vocabulary.map``, for spans and log records.

        ``counted`` is called with what tells usage; ``read`` reads this request instead of the usual one.
        """
        read = read or self._read
        told: list[tuple[Told, Step]] = []
        batches: dict[str, Batch] = {}
        for number, record in enumerate(records):
            batch = batches.get(record.trace_id)
            if batch is None:
                batch = batches[record.trace_id] = Batch(record.trace_id, Trace())
            step = read(record)
            _see(batch.seen, record, step)
            if step is not None and step.kind is not StepKind.NAME:
                told.append((record, step))
            if number % _TURN == 0:
                yield None
        known: Known = {}
        for record, step in told:
            event = self._event(record, step, batches[record.trace_id], known, now)
            if counted is not None and event.usage is not None:
                counted(record, event)
            yield event
        for batch in batches.values():
            yield from self._moved(batch)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        for event in events:
            staged = self._staged.pop(id(event), None)
            if staged is None or staged.event is not event:
                continue
            batch = staged.batch
            if not batch.is_learnt:
                batch.is_learnt = True
                self._traces.learn(batch.trace_id, batch.seen, batch.waits)
            if staged.waiting is not None:
                self._traces.wait(batch.trace_id, staged.waiting)
            elif staged.settles is not None:
                self._traces.settled(batch.trace_id, staged.settles)
            else:
                self._runners.add(event.agent_id)

    def _event(self, record: Told, step: Step, batch: Batch, known: Known, now: Millis) -> Event:
        agent, is_open = step.agent, False
        if agent is None:
            agent, is_open = Lineage(batch.seen, self._traces.get(record.trace_id)).agent_of(_place(record))
        key = (id(record.resource), text(record.attributes, AGENT_ID), agent, step.session)
        who = known.get(key)
        if who is None:
            who = known[key] = self._whose(record.resource, record.attributes, self._kind, agent, step.session)
        session = agent if self._are_sessions and agent is not None else step.session
        event = _made(record, step, who, self._rank, now, session)
        if self._are_hidden:
            event = replace(event, is_hidden=True)
        if step.agent is None and agent is not None:
            # It may have been stored for the process, in a life of ours that remembered another part of the trace.
            process = self._whose(record.resource, record.attributes, self._kind, None, step.session)
            if process.agent_id != who.agent_id:
                event = replace(event, id=_id(record), instead_of=process.agent_id)
        if step.kind is StepKind.AGENT:
            self._stage(Staged(event, batch))
        elif who.agent_id in self._runners:
            event = _opening(event, record)
        elif is_open and not who.is_named:
            event = replace(event, id=_id(record))
            batch.waits = True
            self._stage(Staged(event, batch, waiting=Waiting(_place(record), record.resource, event)))
        return event

    def _moved(self, batch: Batch) -> Iterator[Event]:
        """Steps of earlier requests whose agent this one tells."""
        known = self._traces.get(batch.trace_id)
        if not known.waiting or not batch.seen.parents:
            return
        lineage = Lineage(batch.seen, known)
        for waiting in known.waiting:
            agent, _ = lineage.agent_of(waiting.place)
            if agent is None:
                continue
            was = waiting.event
            who = self._whose(waiting.resource, {}, self._kind, agent, was.session_id)
            session = agent if self._are_sessions else was.session_id
            event = replace(
                was, agent_id=who.agent_id, session_id=session, facts=who.facts, turn=None, instead_of=was.agent_id
            )
            self._stage(Staged(event, batch, settles=waiting))
            yield event

    def _stage(self, staged: Staged) -> None:
        self._staged[id(staged.event)] = staged
        if len(self._staged) > _MAX_STAGED:
            self._staged.popitem(last=False)


def _see(seen: Trace, record: Told, step: Step | None) -> None:
    if not isinstance(record, SpanRecord):
        return
    seen.parents[record.span_id] = record.parent_id
    if step is not None and step.agent is not None and step.kind in (StepKind.AGENT, StepKind.NAME):
        seen.runs[record.span_id] = Run(step.agent, record.started, record.at)


def _id(record: Told) -> str:
    return f"span:{record.trace_id}:{record.span_id}"


def _place(record: Told) -> Place:
    """A log record stands where the span is that it came with."""
    if isinstance(record, SpanRecord):
        return Place(record.parent_id, record.started, record.at)
    return Place(record.span_id, record.at, record.at)


def _opening(event: Event, record: Told) -> Event:
    """A step of a run that has not been told yet.

    It is dated a moment before its end, so that its run ends after it in whatever order they come.
    """
    if not isinstance(record, SpanRecord) or not record.parent_id:
        return event
    return replace(event, at=max(0, event.at - 1), turn=Turn.OPEN)


def _made(record: Told, step: Step, who: Who, rank: int, now: Millis, session: str | None) -> Event:
    is_span = isinstance(record, SpanRecord)
    return Event(
        agent_id=who.agent_id,
        type=_type(step),
        at=record.at or now,
        session_id=session or record.trace_id or None,
        call_id=step.call_id or record.span_id or None,
        phase=Phase.END if step.kind is StepKind.TOOL else Phase.POINT,
        signal=Signal.SPAN if is_span else Signal.LOG,
        rank=rank if step.usage is not None else 0,
        source=SOURCE,
        facts=who.facts,
        usage=step.usage,
        tool=step.tool,
        error=error_of(record) if step.is_error else None,
        latency_ms=float(max(0, record.at - record.started)) if isinstance(record, SpanRecord) else None,
        data=step.data,
        turn=Turn.CLOSED,
        activity=Activity.ERROR if step.kind is StepKind.AGENT and step.is_error else None,
        is_hidden=step.kind is StepKind.AGENT and not step.is_error,
    )


def _type(step: Step) -> EventType:
    match step.kind:
        case StepKind.TOOL:
            return EventType.TOOL_CALL
        case StepKind.MODEL:
            return EventType.ERROR if step.is_error else EventType.COST
        case StepKind.AGENT | StepKind.NAME:
            return EventType.HEARTBEAT


def error_of(record: Told) -> str:
    """What went wrong, in a line: the exception, else the status, else the kind of error."""
    for event in record.events if isinstance(record, SpanRecord) else ():
        kind, message = text(event.attributes, "exception.type"), text(event.attributes, "exception.message")
        if message or kind:
            return ": ".join(part for part in ((kind or "").rpartition(".")[2], message) if part)[:MAX_TEXT]
    status = record.status_message.strip() if isinstance(record, SpanRecord) else ""
    return status.partition("\n")[0][:MAX_TEXT] or text(record.attributes, "error.type") or "it failed"
