"""The ports: what plugins implement, and the narrow part of the core that they are given.

Public. Everything here is a Protocol or a plain value; time is always an argument or comes from a Clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec import Struct

from clawatch.domain.access import Key, Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, AlertType, Silence
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.domain.deliveries import Notification, Outcome, Outgoing
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import Appended, Committed, Entry, Measures, Unit
from clawatch.domain.metrics import Metrics
from clawatch.domain.runs import Run
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Wake

if TYPE_CHECKING:
    from aiohttp import ClientSession, web
    from structlog.typing import FilteringBoundLogger


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# -- errors that cross ports --------------------------------------------------------------------------


class ClaWatchError(Exception):
    """A refusal with words for the one who asked. Doors put it into their own envelope."""


class Invalid(ClaWatchError):
    """What was sent makes no sense (400)."""


class Forbidden(ClaWatchError):
    """The principal lacks the scope or the agent pattern (403)."""


class NotFound(ClaWatchError):
    """There is no such thing (404)."""


class Conflict(ClaWatchError):
    """It has moved on meanwhile (409)."""


class TooMany(ClaWatchError):
    """Too often (429); ``retry_after`` seconds from now it may work."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(ClaWatchError):
    """Nothing was written and trying again later can help: disk full, database locked (503)."""


# -- time ---------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> Moment:
        """Both clocks at once."""
        ...


# -- the store ----------------------------------------------------------------------------------------


class EventFilter(Struct, frozen=True, kw_only=True):
    """Bounds are inclusive. ``agents`` are the patterns the asker may see."""

    agents: tuple[str, ...] = ("*",)
    agent_id: str | None = None
    types: tuple[EventType, ...] = ()
    since: Millis | None = None
    until: Millis | None = None


class AlertFilter(Struct, frozen=True, kw_only=True):
    agents: tuple[str, ...] = ("*",)
    agent_id: str | None = None
    state: AlertState | None = None


class Page(Struct, Generic[T], frozen=True):
    items: tuple[T, ...]
    next: str | None
    """Cursor of the next page; None at the end."""


class CostLine(Struct, frozen=True):
    agent_id: str
    model: str
    cost: int
    tokens: int
    unpriced: int = 0


class Costs(Struct, frozen=True):
    """``resolution`` is the grain at which the bounds were honoured: ``exact``, ``minute``, ``hour`` or ``day``."""

    lines: tuple[CostLine, ...]
    resolution: str = "exact"


class Point(Struct, frozen=True):
    """One bucket of a series for one group (an agent id, a model, or empty)."""

    at: Millis
    group: str
    measures: Measures


class StoreHealth(Struct, frozen=True):
    ok: bool
    detail: str = ""
    size_bytes: int = 0
    commits: int = 0
    """Transactions since it was opened."""
    commit_seconds: float = 0.0
    """What they took together, waiting for the disk included."""


class RetentionPolicy(Struct, frozen=True, kw_only=True):
    events: Millis
    minutes: Millis
    hours: Millis
    alerts: Millis


class StorePort(Protocol):
    """Where everything is kept. One writer; ids are made by the caller; no SQL types cross this line.

    Every write is durable when it returns. Writes raise StoreUnavailable when nothing was written and a
    later try can succeed. ``clawatch.testing.store_contract`` is the contract as tests.
    """

    @property
    def id(self) -> str:
        """Made once with the store; first half of every cursor."""
        ...

    @property
    def head(self) -> int:
        """Seq of the newest committed entry; 0 when there is none."""
        ...

    @property
    def tail(self) -> int:
        """Seq of the oldest entry still kept; head + 1 when there is none."""
        ...

    def listen(self, listener: Callable[[Committed], None]) -> None:
        """Call ``listener`` on the event loop with each commit, in order, before its waiters are released."""
        ...

    async def append(self, batch: Sequence[Event], now: Millis, owner: str = "") -> list[Appended]:
        """Write events (and all that follows from them) in one commit, perhaps shared with other callers."""
        ...

    async def commit(self, unit: Unit, now: Millis) -> list[Entry]:
        """All or nothing. Raises Conflict when an expected version no longer holds."""
        ...

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Entries with seq > after, in commit order."""
        ...

    async def seq_before(self, instant: Millis) -> int:
        """Seq of the newest entry written before ``instant``; tail - 1 when all are younger."""
        ...

    async def offset(self, consumer: str) -> int | None: ...

    async def agents(self) -> list[Agent]: ...

    async def events(self, where: EventFilter, cursor: str | None, limit: int) -> Page[Entry]:
        """Event entries, newest first; hidden ones left out, completed ones in their completed form."""
        ...

    async def alert(self, alert_id: str) -> Alert | None: ...

    async def alerts(self, where: AlertFilter, cursor: str | None, limit: int) -> Page[Alert]:
        """Alerts that have fired, newest first."""
        ...

    async def open_alerts(self) -> list[Alert]:
        """Every pending or firing alert, for start-up."""
        ...

    async def command(self, command_id: str) -> Command | None: ...

    async def commands(self, agent_id: str | None, cursor: str | None, limit: int) -> Page[Command]: ...

    async def open_commands(self) -> list[Command]: ...

    async def run(self, run_id: str) -> Run | None: ...

    async def runs(self, agents: tuple[str, ...], cursor: str | None, limit: int) -> Page[Run]: ...

    async def costs(self, since: Millis | None, until: Millis | None, agents: tuple[str, ...]) -> Costs:
        """Sums per agent and model; bounds inclusive; only agents matching one of the patterns."""
        ...

    async def series(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[Point]:
        """Sums per step (a multiple of a minute; since ≤ bucket < until), grouped ``by`` agent, model or ``""``."""
        ...

    async def claim(self, notifier: str, now: Millis, limit: int, until: Millis, holder: str) -> list[Outgoing]:
        """Take this notifier's due outbox rows until ``until``: at most the oldest unsettled one of each thread.

        Compare-and-set: a row held by somebody else whose time has not run out is not returned. Each claim
        adds one to ``attempts``. An outbox row committed under an id that is there already replaces it.
        """
        ...

    async def settle(self, outgoing_id: str, now: Millis, next_at: Millis | None, ref: str | None) -> None:
        """Done with a claimed row: remove it (``next_at`` None, keeping ``ref`` for its thread) or try again then.

        A row that has been replaced since it was claimed stays as it is: it is still to be delivered.
        """
        ...

    async def ref(self, notifier: str, thread: str) -> str | None: ...

    async def outbox_size(self) -> int: ...

    async def outbox_oldest(self) -> Millis | None:
        """When the row that has waited longest was made; None when nothing waits."""
        ...

    async def silences(self) -> list[Silence]: ...

    async def put_silence(self, silence: Silence) -> None: ...

    async def delete_silence(self, silence_id: str) -> bool: ...

    async def keys(self) -> list[Key]:
        """All keys. Another process may have changed them since."""
        ...

    async def put_key(self, key: Key) -> None:
        """Raises Conflict when a key of that name exists."""
        ...

    async def delete_key(self, name: str) -> bool: ...

    async def secret(self, name: str) -> str | None:
        """A value the daemon keeps for itself (the token signing key, the last time it was alive)."""
        ...

    async def put_secret(self, name: str, value: str) -> None: ...

    async def put_login(self, code_hash: str, expires_at: Millis) -> None: ...

    async def take_login(self, code_hash: str, now: Millis) -> bool:
        """True once per code, before it expires."""
        ...

    async def prune(self, policy: RetentionPolicy, now: Millis, budget: int) -> int:
        """Delete at most ``budget`` rows that are too old; how many went. 0: nothing is left to do."""
        ...

    async def backup(self, target: Path) -> None: ...

    async def health(self) -> StoreHealth: ...


# -- what plugins implement -----------------------------------------------------------------------------


class Rule(Protocol):
    """Judges what agents do. Synchronous, bounded in memory, never does I/O, never reads a clock.

    It is called for every journal entry of an agent it is enabled for, in order, and again where it asked
    to be woken. ``settings`` are the rule's own, with this agent's overrides already applied. Verdicts are
    idempotent: the end of a condition (severity None) may be said of an alert that is not open.

    At start its factory opens it; it may read ``core.queries`` there, nothing new is accepted meanwhile. Then
    ``began`` is called, then ``observe`` for the last hour's entries that it has seen before: their verdicts
    and notices are dropped, their wakes are kept. Then ``watch`` for each known agent, and the rest of the
    journal with effects. ``now`` is the true present throughout, also while old entries are shown again.
    When the configuration is read again, all rules are closed and opened anew in the same way.

    Inherit from this class to leave ``began`` and ``watch`` out.
    """

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        """``agent`` is as it stands now, which may be some entries ahead."""
        ...

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]: ...

    def forget(self, agent_id: str) -> None:
        """The agent was removed; its alerts have ended with it."""
        ...

    def began(self, now: Moment, downtime: Millis) -> None:
        """The daemon has just started, after ``downtime`` in which nobody could have been heard."""
        return

    def watch(self, agent: Agent, settings: Any, now: Moment) -> Iterable[Wake]:
        """An agent known before the start: ask for the wakes it needs, at once to review what is still open."""
        return ()


@dataclass(frozen=True)
class RuleType:
    """What ``register_rules`` returns: a rule under its name."""

    name: str
    alert_type: AlertType
    settings: type[Any]
    """A pydantic model that inherits ``clawatch.settings.RuleSettings``."""
    open: Factory[Rule]


@dataclass(frozen=True)
class StoreType:
    """What ``register_stores`` returns. There is no core before there is a store, so it gets a place only."""

    name: str
    settings: type[Any]
    open: Callable[[Any, Path], AbstractAsyncContextManager[StorePort]]
    """``open(settings, data_dir)``; makes or migrates the store, raises ClaWatchError with one clear line."""


class Notifier(Protocol):
    async def deliver(self, notification: Notification) -> Outcome:
        """Say it. May be called again with the same id. Errors are values; a raise counts as RetryLater."""
        ...


class Controller(Protocol):
    """Carries commands to agents."""

    def kind(self, agent: Agent) -> ControlKind | None:
        """What it can do for this agent; None: not one of mine. The first controller that says so has it."""
        ...

    def describe(self, agent: Agent) -> str:
        """The kind in words, with its conditions: ``native (while ClaWatch answers)``."""
        ...

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        """A new command. None: it will be fetched or reported later; else its state at once."""
        ...


class Enricher(Protocol):
    def enrich(self, event: Event) -> Event:
        """Complete what the event says (a price); return it unchanged otherwise. Synchronous and quick."""
        ...


class Vocabulary(Protocol):
    """Maps one client's OpenTelemetry names to events."""

    name: str

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """Whether records with these resource attributes and this instrumentation scope are this client's."""
        ...

    def map(self, records: Sequence[Any], now: Millis) -> Sequence[Event]:
        """The events that records stand for: for each none, one or more.

        ``records`` are the ``clawatch.apis.telemetry`` records of one request that this vocabulary detects, in
        order; what it does not know, it ignores. ``Event.rank`` carries the signal's rank for usage, from 1; the
        highest that reported a session counts.
        """
        ...


@dataclass(frozen=True)
class Contribution(Generic[T]):
    """A named part with its settings model (pydantic) and the factory that opens it."""

    name: str
    settings: type[Any]
    open: Factory[T]


class Factory(Protocol[T_co]):
    def __call__(self, settings: Any, core: Core, /) -> AbstractAsyncContextManager[T_co]:
        """Open the part. Must not touch the network; closed in reverse order of opening."""
        ...


# -- what plugins are given -----------------------------------------------------------------------------


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a batch. ``rejected``: (index, why)."""

    accepted: int
    duplicates: int
    rejected: tuple[tuple[int, str], ...] = ()
    forbidden: bool = False
    """Every rejection was for lack of rights."""


class IngestPort(Protocol):
    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        """Store events durably. They are visible in queries when this returns.

        Raises StoreUnavailable when they could not be stored; nothing was then.
        """
        ...


class Controlling(Struct, frozen=True, kw_only=True):
    """How an agent is controlled, and how far its newest control command has come."""

    kind: ControlKind
    described: str
    command: Command | None


class QueriesPort(Protocol):
    """Everything there is to read. A principal sees the agents its patterns match, nothing else."""

    def agents(self, principal: Principal) -> list[Agent]:
        """From memory, newest sign of life first."""
        ...

    def agent(self, agent_id: str, principal: Principal) -> Agent:
        """Raises NotFound, also where the principal may not see it."""
        ...

    def controlling(self, agent: Agent) -> Controlling: ...

    async def events(
        self, principal: Principal, where: EventFilter, cursor: str | None = None, limit: int = 50
    ) -> Page[Entry]: ...

    async def alerts(
        self, principal: Principal, where: AlertFilter, cursor: str | None = None, limit: int = 100
    ) -> Page[Alert]: ...

    async def alert(self, alert_id: str, principal: Principal) -> Alert: ...

    def silenced_until(self, alert: Alert) -> Millis | None: ...

    async def costs(
        self, principal: Principal, since: Millis | None, until: Millis | None, agent_id: str | None
    ) -> Costs: ...

    async def series(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, by: str, agent_id: str | None
    ) -> list[Point]: ...

    async def runs(self, principal: Principal, cursor: str | None = None, limit: int = 100) -> Page[Run]: ...

    async def run(self, run_id: str, principal: Principal) -> Run: ...

    async def commands(
        self, principal: Principal, agent_id: str | None, cursor: str | None = None, limit: int = 100
    ) -> Page[Command]: ...

    async def silences(self, principal: Principal) -> list[Silence]: ...

    async def system(self) -> SystemReport: ...

    def cursor(self) -> str:
        """Names the present end of the journal: ``<store id>.<seq>``."""
        ...

    async def after(self, cursor: str, limit: int) -> list[Entry] | None:
        """The entries behind a cursor; None when the cursor is unknown here, beyond the head or pruned (`reset`)."""
        ...


class PartReport(Struct, frozen=True, kw_only=True):
    section: str
    name: str
    state: str
    detail: str = ""


class SystemReport(Struct, frozen=True, kw_only=True):
    version: str
    started_at: Millis
    store: StoreHealth
    outbox: int
    journal_head: int
    rules_behind: int
    parts: tuple[PartReport, ...]
    status: str
    """``ok`` or ``degraded``."""


class CommandsPort(Protocol):
    """Everything there is to do to agents, alerts and the daemon. Checks rights; raises Forbidden, NotFound."""

    async def control(
        self, agent_id: str, verb: CommandType, principal: Principal, alert_id: str | None = None
    ) -> tuple[Agent, Command | None]:
        """pause, resume, stop, start, restart: sets control at once and creates the command.

        What is so already changes nothing; the newest command comes back then, or None when there was none.
        """
        ...

    async def send(
        self, agent_id: str, type: CommandType, parameters: Mapping[str, Any], principal: Principal
    ) -> Command:
        """Any other command."""
        ...

    def has_open(self, agent_id: str) -> bool:
        """Whether ``take`` may have something for this agent; cheap."""
        ...

    async def take(self, agent_id: str, principal: Principal, wait: float = 0.0) -> list[Command]:
        """Hand out the agent's open commands (marks them delivered); waits up to ``wait`` seconds for one."""
        ...

    async def result(
        self, command_id: str, state: CommandState, message: str, data: Any, principal: Principal
    ) -> Command:
        """The agent's or controller's answer. Raises Conflict when the state is final already."""
        ...

    async def settle(self, command_id: str, state: CommandState, message: str = "") -> Command | None:
        """A controller's own word. None when the command is unknown or final."""
        ...

    async def acknowledge(self, alert_id: str, principal: Principal, acknowledged: bool = True) -> Alert: ...

    async def silence(
        self, principal: Principal, duration: Millis, reason: str, alert_id: str | None = None,
        agent: str = "*", rule: str = "", severity: str = "",
    ) -> Silence: ...

    async def unsilence(self, silence_id: str, principal: Principal) -> None: ...

    async def remove_agent(self, agent_id: str, principal: Principal) -> None: ...

    async def test_notifier(self, name: str, principal: Principal) -> Outcome: ...


class BusPort(Protocol):
    """Live views. Never the way to lose nothing: for that, read the journal by cursor."""

    def subscribe(self, size: int = 1024) -> AbstractAsyncContextManager[Subscription]: ...


class Subscription(Protocol):
    """A bounded queue of journal entries. When the reader is too slow it is dropped, never waited for."""

    @property
    def is_dropped(self) -> bool: ...

    def __aiter__(self) -> AsyncIterator[Entry]:
        """Entries as they are committed; ends when dropped or closed."""
        ...


class SchedulerPort(Protocol):
    """Calendar jobs. Misfires run late and once; schedules survive jumps of the wall clock."""

    def every(self, name: str, period: Millis, job: Callable[[], Awaitable[None]]) -> None: ...

    def daily(self, name: str, at: str, job: Callable[[], Awaitable[None]]) -> None:
        """``at`` is HH:MM in the configured time zone."""
        ...


class AccessPort(Protocol):
    """Who is asking, and the keys there are."""

    @property
    def public_url(self) -> str:
        """Without a trailing slash."""
        ...

    @property
    def cookie_name(self) -> str: ...

    def check_secret(self, secret: str) -> Principal | None:
        """A key or an access token; None when it is neither, expired or revoked."""
        ...

    def authenticate(self, request: web.Request) -> Principal | None:
        """By X-ClaWatch-Key, Authorization, cookie, ``?token=`` (WebSockets only) or a loopback grant (§6)."""
        ...

    async def identify(self, request: web.Request, secret: str | None = None) -> Principal | None:
        """As ``authenticate``, or by a ``secret`` that came in a first frame; looks into the store once more
        before it calls a secret unknown. Raises TooMany when this address guesses, Forbidden for a cookie
        from another site."""
        ...

    def issue_token(self, principal: Principal) -> tuple[str, int]:
        """An access token for this principal's key, and its life in seconds. Raises Forbidden when it has none."""
        ...

    async def issue_login(self, life: Millis) -> str:
        """A one-time login link for the admin."""
        ...

    async def redeem_login(self, code: str) -> str | None:
        """The cookie's value for a one-time code; None when it is wrong, used or expired."""
        ...

    def keys(self) -> list[Key]: ...

    async def create_key(
        self, name: str, scopes: Sequence[Scope], agents: Sequence[str], user: str, expires_at: Millis | None
    ) -> str:
        """The new key, shown this once. Raises Conflict when the name is taken, Invalid when it is no name."""
        ...

    async def revoke_key(self, name: str) -> None:
        """Raises NotFound, or Conflict for a key of the configuration."""
        ...


class HttpPort(Protocol):
    @property
    def session(self) -> ClientSession:
        """For requests to elsewhere; opened at first use, closed with the daemon."""
        ...


@dataclass(frozen=True)
class Core:
    """What a plugin may touch."""

    ingest: IngestPort
    queries: QueriesPort
    commands: CommandsPort
    access: AccessPort
    bus: BusPort
    clock: Clock
    scheduler: SchedulerPort
    http: HttpPort
    log: FilteringBoundLogger
    timezone: tzinfo = UTC
    """The configured one: where days and months begin."""
    vocabularies: tuple[Vocabulary, ...] = ()
    """What the OpenTelemetry door maps records with, in order of registration."""
    metrics: Metrics = field(default_factory=Metrics)
    """Figures about the daemon itself; count your own in it, or gather all there are."""
