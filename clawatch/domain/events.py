"""Events: what an agent said, in one form whichever way it came in."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from clawatch.domain.money import Nanos
from clawatch.domain.time import Millis


class EventType(StrEnum):
    HEARTBEAT = "heartbeat"
    TOOL_CALL = "tool_call"
    ERROR = "error"
    COST = "cost"
    STATUS_CHANGE = "status_change"
    MESSAGE = "message"
    METRICS = "metrics"
    RUN = "run"
    ENTITY = "entity"


class Origin(StrEnum):
    """How fresh an event is; decides what it may set off."""

    LIVE = "live"
    LATE = "late"
    """Spooled: feeds rules by its own time, never liveness."""
    HISTORY = "history"
    """Read from the past: cost and token reports only."""


ORIGIN_RANK = {Origin.LIVE: 0, Origin.LATE: 1, Origin.HISTORY: 2}


class Phase(StrEnum):
    START = "start"
    END = "end"
    POINT = "point"


class Signal(StrEnum):
    LOG = "log"
    SPAN = "span"
    METRIC = "metric"
    TRANSCRIPT = "transcript"
    HOOK = "hook"
    API = "api"


class Activity(StrEnum):
    """What the agent reports about itself."""

    PENDING = "pending"
    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"


class Turn(StrEnum):
    """Where an agent that works in turns stands; one that does not stays at NONE."""

    NONE = "none"
    OPEN = "open"
    WAITING = "waiting"
    """Waits for a human; never stuck."""
    CLOSED = "closed"


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one report says was used. ``input`` includes cached tokens.

    ``cost`` is None when nobody knows it, which is not 0.
    """

    model: str = ""
    cost: Nanos | None = None
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    tokens: int | None = None
    """The total where the parts are not known (the seed's ``tokenCount``)."""
    provider: str | None = None
    cache_write_1h: int = 0
    """The part of ``cache_write`` that is kept for an hour, which some providers charge more for; only priced by."""

    @property
    def total(self) -> int:
        """All tokens: the stated total, else input + output."""
        return self.input + self.output if self.tokens is None else self.tokens

    @property
    def is_unpriced(self) -> bool:
        return self.cost is None and self.total > 0


class Tool(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool call. Arguments and results are known by their hashes only."""

    name: str
    args_hash: str | None = None
    result_hash: str | None = None
    args_size: int | None = None
    """Stands in for the hash where arguments are not told."""
    result_size: int | None = None
    ok: bool | None = None
    is_blocked: bool = False
    """Refused by a guard rather than run."""


class Counter(Struct, frozen=True, kw_only=True):
    """One cumulative series of a metric; the ledger turns it into an increment."""

    series: str
    """Names the series: resource, scope, metric and attributes, hashed."""
    started: Millis
    """A new start means the count began again at 0."""
    value: int
    measure: str
    """Which measure grows: ``cost`` (nano-dollars), ``input``, ``output``, ``cache_read``, ``cache_write``."""


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says of the agent itself. None: nothing said."""

    name: str | None = None
    host: str | None = None
    kind: str | None = None
    group: str | None = None
    claims_group: bool = False
    """The group is the agent's own word. Nobody who may speak for some agents only can so choose other rules."""
    labels: dict[str, str] | None = None
    capabilities: tuple[str, ...] | None = None


class RunReport(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The ``data`` of a ``run`` event."""

    run_id: str
    kind: str | None = None
    status: str | None = None
    stage: str | None = None
    progress: float | None = None
    input: Any = None
    result: Any = None
    error: str | None = None
    parent_run_id: str | None = None


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="event", tag_field="_"):
    """One thing an agent said.

    A door or source fills in what it read; Ingest settles ``at``, ``received_at`` and ``origin``,
    prices usage and redacts secrets before it is stored.
    """

    agent_id: str
    type: EventType
    at: Millis
    """When it happened, by the agent's clock; clamped to ``received_at``."""
    received_at: Millis = 0
    id: str | None = None
    """Chosen by the sender, unique per agent: the same id twice is one event."""
    session_id: str | None = None
    call_id: str | None = None
    """With agent, session and phase it names the call's report, whoever reports it."""
    phase: Phase = Phase.POINT
    signal: Signal = Signal.API
    rank: int = 0
    """The signal's rank for usage in this client's vocabulary; higher is trusted more, and what is below 0 only
    where no telemetry tells any."""
    origin: Origin = Origin.LIVE
    source: str = ""
    """The door or source that read it."""
    facts: Facts | None = None
    data: dict[str, Any] = {}
    """What was said, shown to people; redacted, never interpreted after parsing."""
    usage: Usage | None = None
    counters: tuple[Counter, ...] = ()
    tool: Tool | None = None
    error: str | None = None
    latency_ms: float | None = None
    revenue: Nanos | None = None
    """What the agent has earned with this."""
    gauges: dict[str, float] = {}
    """Numbers it reports of itself, by name; finite. Money in dollars."""
    activity: Activity | None = None
    """A status the agent reports of itself."""
    turn: Turn | None = None
    """A turn's state this event brings about."""
    run: RunReport | None = None
    is_progress: bool = True
    """False for signs of life that are no work: an unchanged counter, a wrapper's report."""
    is_hidden: bool = False
    """Bookkeeping that people do not need in a timeline."""
    is_inferred: bool = False
    """Concluded by ClaWatch rather than said by the agent: never a sign of life."""
    instead_of: str | None = None
    """The agent it may have been stored for under the same ``id``, before it was known whose it is: what it counted
    there is taken back, and it is not taken for that agent's again."""
    is_moved: bool = False
    """It has been found to be another agent's, and counts nothing here."""

    @property
    def is_error(self) -> bool:
        """Whether it adds to the agent's error count: an error, or a tool call that failed."""
        return self.type is EventType.ERROR or self.is_failed_tool

    @property
    def is_failed_tool(self) -> bool:
        return self.type is EventType.TOOL_CALL and self.tool is not None and self.tool.ok is False

    @property
    def is_finished_call(self) -> bool:
        """Whether it counts as one tool call; a start does not."""
        return self.type is EventType.TOOL_CALL and self.phase is not Phase.START


Ident = bytes
"""16 bytes that name a report within the store; equal idents are the same report."""


def idents(event: Event) -> tuple[Ident, ...]:
    """The names an event goes by: its call's canonical id first, then the sender's own id."""
    names: list[Ident] = []
    if event.call_id is not None:
        names.append(_ident("call", event.agent_id, event.session_id or "", event.call_id, event.phase))
    if event.id is not None:
        names.append(ident_of(event.agent_id, event.id))
    return tuple(names)


def asked_for(event: Event) -> tuple[Ident, ...]:
    """All names of an event: its own, and that of the one it is instead of, by which it must not come again."""
    if event.instead_of is None or event.id is None:
        return idents(event)
    return (*idents(event), ident_of(event.instead_of, event.id))


def ident_of(agent_id: str, event_id: str) -> Ident:
    """The name that an event goes by for the id its sender gave it."""
    return _ident("id", agent_id, event_id)


def _ident(*parts: str) -> Ident:
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.digest()


