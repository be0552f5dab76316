"""What plugins are given: the narrow ports of the core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from clawatch.domain.access import Key, Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.domain.deliveries import Outcome
from clawatch.domain.events import Event
from clawatch.domain.journal import Entry
from clawatch.domain.metrics import Metrics
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis
from clawatch.domain.work import Order, Record
from clawatch.ports.clock import Clock
from clawatch.ports.errors import Conflict, NotFound
from clawatch.ports.parts import Vocabulary
from clawatch.ports.recordings import RecordingsPort, nowhere
from clawatch.ports.settings import NoSettings, SettingsPort
from clawatch.ports.store import AlertFilter, Costs, EventFilter, GaugePoint, LatencyPoint, Page, Point, StoreHealth

if TYPE_CHECKING:
    from aiohttp import ClientSession, web
    from structlog.typing import FilteringBoundLogger


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

    @property
    def commands_changed(self) -> int:
        """How often commands have changed. While it stays, the same agent is controlled in the same way."""
        ...

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

    async def latencies(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, by: str = "",
        agent_id: str | None = None,
    ) -> list[LatencyPoint]: ...

    async def gauges(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, agent_id: str | None = None,
        names: tuple[str, ...] = ("*",),
    ) -> list[GaugePoint]: ...

    async def runs(
        self, principal: Principal, cursor: str | None = None, limit: int = 100, agent_id: str | None = None,
        kind: str | None = None, statuses: tuple[RunStatus, ...] = (),
    ) -> Page[Run]:
        """Newest first. A page may hold fewer than ``limit`` although there is a next one."""
        ...

    async def run(self, run_id: str, principal: Principal, agent_id: str | None = None) -> Run:
        """The newest of this id; agents may use the same. Raises NotFound."""
        ...

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
        self, agent_id: str, verb: CommandType, principal: Principal, alert_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[Agent, Command | None]:
        """pause, resume, stop, start, restart: sets control at once and creates the command.

        ``parameters`` go to the agent with it; what they mean is its business.
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


class WorkPort(Protocol):
    """Work that people ask of agents. Each piece is a run, durable, and told on the bus with every step.

    Checks rights: raises Forbidden without the scope control. A principal that may not touch all agents asks its own
    agents only, and sees what it has asked for.
    """

    async def submit(self, order: Order, principal: Principal) -> Run:
        """Ask for work; an agent that can take it has it at once, else it waits, as pending.

        Raises NotFound where the agent, or any agent of the kind, is not known and the order may not wait for one;
        Conflict where none can take it now and it may not wait; TooMany when too much is under way already.
        """
        ...

    async def cancel(self, run_id: str, principal: Principal) -> Run:
        """End an open run and tell its agent so. Raises NotFound, or Conflict when it has come to its end."""
        ...

    async def compete(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None = None, about: str | None = None
    ) -> Run:
        """Begin a competition on this prompt, among all entrants or those of these providers.

        Raises Conflict when no entrant or no judge can take part. ``about``: the task it is for.
        """
        ...

    async def end_of(self, run: Run) -> Run:
        """Wait until it has come to its end."""
        ...

    def takers(self, principal: Principal, kind: str) -> list[Agent]:
        """Agents of this kind that could be given work, the next to be used first."""
        ...

    def entrants(self, principal: Principal) -> dict[str, Agent]:
        """Who would compete now, by provider."""
        ...

    def held_by(self, agent_id: str) -> list[Run]:
        """What the agent has been given and has not come to its end."""
        ...

    def record(self, agent_id: str) -> Record:
        """How it has done so far."""
        ...


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
        """By X-ClaWatch-Key, Authorization, cookie, ``?token=`` (WebSockets only) or a loopback grant."""
        ...

    async def identify(self, request: web.Request, secret: str | None = None) -> Principal | None:
        """As ``authenticate``, or by a ``secret`` that came in a first frame; looks into the store once more
        before it calls a secret unknown. Raises TooMany when this address guesses, Forbidden for a cookie
        from another site."""
        ...

    def is_from_here(self, request: web.Request) -> bool:
        """Whether it comes from this machine, through no proxy and by one of our names, whatever page asked for it."""
        ...

    def is_own_origin(self, request: web.Request) -> bool:
        """Whether the request names an Origin, and it is one of our own pages'."""
        ...

    def secret_of(self, request: web.Request) -> str | None:
        """The key or token that came with it, unchecked; login cookies are none."""
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


class NoWork:
    """For a core without agents to ask."""

    async def submit(self, order: Order, principal: Principal) -> Run:
        raise Conflict("there is nobody to give work to")

    async def cancel(self, run_id: str, principal: Principal) -> Run:
        raise NotFound("Run not found")

    async def compete(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None = None, about: str | None = None
    ) -> Run:
        raise Conflict("there is nobody to compete")

    async def end_of(self, run: Run) -> Run:
        return run

    def takers(self, principal: Principal, kind: str) -> list[Agent]:
        return []

    def entrants(self, principal: Principal) -> dict[str, Agent]:
        return {}

    def held_by(self, agent_id: str) -> list[Run]:
        return []

    def record(self, agent_id: str) -> Record:
        return Record()


class HttpPort(Protocol):
    @property
    def session(self) -> ClientSession:
        """For requests to elsewhere; opened at first use, closed with the daemon."""
        ...


class MarksPort(Protocol):
    """Small durable values of a source: how far it has read. Write them once the events they cover are accepted."""

    async def read(self, source: str) -> dict[str, str]:
        """All of a source's marks, by name."""
        ...

    async def write(self, source: str, changes: Mapping[str, str | None]) -> None:
        """Set and (None) remove some, all or none. Raises StoreUnavailable, or Invalid for one that is not small."""
        ...


class PassingMarks:
    """Marks in memory alone, for a core without a store."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[str, str]] = {}

    async def read(self, source: str) -> dict[str, str]:
        return dict(self._marks.get(source, {}))

    async def write(self, source: str, changes: Mapping[str, str | None]) -> None:
        marks = {**self._marks.get(source, {}), **changes}
        self._marks[source] = {name: value for name, value in marks.items() if value is not None}


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
    marks: MarksPort = field(default_factory=PassingMarks)
    recordings: RecordingsPort = field(default_factory=nowhere)
    work: WorkPort = field(default_factory=NoWork)
    settings: SettingsPort = field(default_factory=NoSettings)
