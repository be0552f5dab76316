"""The journal: everything that happened, in commit order, each row written in the commit that made it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clawatch.domain.agents import Agent, Control
from clawatch.domain.alerts import Alert, Reason
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event
from clawatch.domain.money import Nanos
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis


class EntryKind(StrEnum):
    EVENT = "event"
    FILL = "fill"
    AGENT = "agent"
    ALERT = "alert"
    COMMAND = "command"
    RUN = "run"


class Measures(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event adds to the sums of its minute, agent and model. May be negative: see ``Counted``."""

    events: int = 0
    errors: int = 0
    tool_calls: int = 0
    messages: int = 0
    cost: Nanos = 0
    past_cost: Nanos = 0
    """The part of ``cost`` that was read from the past (origin history); cost limits leave it out."""
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    tokens: int = 0
    unpriced: int = 0
    """Tokens whose cost nobody knows."""
    revenue: Nanos = 0

    # Written out field by field: this runs for every event, and a loop over the fields takes five times as long.

    def __add__(self, other: Measures) -> Measures:
        return Measures(
            events=self.events + other.events,
            errors=self.errors + other.errors,
            tool_calls=self.tool_calls + other.tool_calls,
            messages=self.messages + other.messages,
            cost=self.cost + other.cost,
            past_cost=self.past_cost + other.past_cost,
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            tokens=self.tokens + other.tokens,
            unpriced=self.unpriced + other.unpriced,
            revenue=self.revenue + other.revenue,
        )

    def __neg__(self) -> Measures:
        return Measures(
            events=-self.events,
            errors=-self.errors,
            tool_calls=-self.tool_calls,
            messages=-self.messages,
            cost=-self.cost,
            past_cost=-self.past_cost,
            input=-self.input,
            output=-self.output,
            cache_read=-self.cache_read,
            cache_write=-self.cache_write,
            tokens=-self.tokens,
            unpriced=-self.unpriced,
            revenue=-self.revenue,
        )

    def __bool__(self) -> bool:
        return self != ZERO


ZERO = Measures()


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One increment as the ledger made it: ``bucket`` is the start of the minute.

    When a better signal takes over a session's usage, what the worse one had added comes back as a
    negative increment, at its own minute.
    """

    bucket: Millis
    model: str = ""
    measures: Measures


class Fill(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="fill", tag_field="_"):
    """A later report of a call that is already there: ``event`` is the earlier event, completed."""

    of: int
    event: Event
    said: Event | None = None
    """What the later report said of its agent itself; its measures are left out."""


class AlertChanged(Struct, frozen=True, kw_only=True, tag="alert", tag_field="_"):
    alert: Alert
    reason: Reason


class CommandChanged(Struct, frozen=True, kw_only=True, tag="command", tag_field="_"):
    command: Command


class ControlChanged(Struct, frozen=True, kw_only=True, tag="control", tag_field="_"):
    agent_id: str
    control: Control
    by: str


class Silenced(Struct, frozen=True, kw_only=True, tag="silent", tag_field="_"):
    """The agent is declared stuck (its liveness, not a muting)."""

    agent_id: str


class Removed(Struct, frozen=True, kw_only=True, tag="removed", tag_field="_"):
    agent_id: str
    by: str


class RunChanged(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="run", tag_field="_"):
    run: Run
    was: RunStatus | None = None
    """Its status before; None for a new run."""
    moved_from: str | None = None
    """The agent it was kept under before, where it has been given to another; empty: nobody had it yet."""


Edge = AlertChanged | CommandChanged | ControlChanged | Silenced | Removed | RunChanged
Body = Event | Fill | AlertChanged | CommandChanged | ControlChanged | Silenced | Removed | RunChanged


class Entry(Struct, frozen=True, kw_only=True):
    """One row. ``seq`` grows by commit order; no row ever appears behind one already read."""

    seq: int
    at: Millis
    """When it was written: our wall clock."""
    kind: EntryKind
    agent_id: str
    body: Body
    counted: tuple[Counted, ...] = ()


class Appended(Struct, frozen=True):
    """What became of one event of a batch: its row, and whether it is a new one."""

    seq: int
    is_new: bool


class Committed(Struct, frozen=True):
    """What one commit brought: rows in order, and the agents as they now stand (None: removed)."""

    entries: tuple[Entry, ...]
    agents: dict[str, Agent | None]


class Unit(Struct, frozen=True, kw_only=True):
    """Edges, outbox rows and consumers' offsets that are written together or not at all."""

    edges: tuple[Edge, ...] = ()
    outbox: tuple[Outgoing, ...] = ()
    offsets: dict[str, int] = {}
    expected: dict[str, int] = {}
    """Alert id → version it must still have; else ``Conflict``."""


def kind_of(body: Body) -> EntryKind:
    match body:
        case Event():
            return EntryKind.EVENT
        case Fill():
            return EntryKind.FILL
        case AlertChanged():
            return EntryKind.ALERT
        case CommandChanged():
            return EntryKind.COMMAND
        case RunChanged():
            return EntryKind.RUN
        case ControlChanged() | Silenced() | Removed():
            return EntryKind.AGENT


def agent_of(body: Body) -> str:
    match body:
        case Event() | ControlChanged() | Silenced() | Removed():
            return body.agent_id
        case Fill():
            return body.event.agent_id
        case AlertChanged():
            return body.alert.agent_id
        case CommandChanged():
            return body.command.agent_id
        case RunChanged():
            return body.run.agent_id


