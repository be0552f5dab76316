"""Where everything is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct

from clawatch.domain.access import Key
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, Silence
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event, EventType
from clawatch.domain.gauges import Gauge
from clawatch.domain.journal import Appended, Committed, Entry, Measures, Unit
from clawatch.domain.runs import Run, RunStatus, RunTotal
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import Millis

if TYPE_CHECKING:
    from clawatch.ports.recordings import RecordingsStore

T = TypeVar("T")


class EventFilter(Struct, frozen=True, kw_only=True):
    """Bounds are inclusive. ``agents`` are the patterns the asker may see."""

    agents: tuple[str, ...] = ("*",)
    agent_id: str | None = None
    types: tuple[EventType, ...] = ()
    since: Millis | None = None
    until: Millis | None = None
    from_seq: int = 0
    """Only from this row on."""


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


class LatencyPoint(Struct, frozen=True):
    """What took how long in one step, for one group (an agent id, or empty)."""

    at: Millis
    group: str
    sketch: Sketch


class GaugePoint(Struct, frozen=True):
    """All readings of one gauge of one agent in one step."""

    at: Millis
    agent_id: str
    name: str
    gauge: Gauge


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

    @property
    def recordings(self) -> RecordingsStore:
        """Where recordings are kept."""
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

    async def commands(
        self, agent_id: str | None, cursor: str | None, limit: int, agents: tuple[str, ...] = ("*",)
    ) -> Page[Command]: ...

    async def open_commands(self) -> list[Command]: ...

    async def run(self, run_id: str, agents: tuple[str, ...]) -> Run | None:
        """The run of this id among those of the agents that match; each agent has ids of its own.

        Of several the one that somebody asked for here (``Run.by``), whatever agents report under its id; else
        the newest.
        """
        ...

    async def runs(
        self, agents: tuple[str, ...], cursor: str | None, limit: int, agent_id: str | None = None,
        kind: str | None = None, statuses: tuple[RunStatus, ...] = (),
    ) -> Page[Run]: ...

    async def open_runs(self) -> list[Run]:
        """Every run that somebody asked for here (``Run.by``) and that has not come to its end, oldest first."""
        ...

    async def run_totals(self) -> list[RunTotal]: ...

    async def costs(self, since: Millis | None, until: Millis | None, agents: tuple[str, ...]) -> Costs:
        """Sums per agent and model; bounds inclusive; only agents matching one of the patterns."""
        ...

    async def series(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[Point]:
        """Sums per step (a multiple of a minute; since ≤ bucket < until), grouped ``by`` agent, model or ``""``."""
        ...

    async def latencies(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[LatencyPoint]:
        """As ``series``, grouped ``by`` agent or ``""``; steps in which nothing was timed are left out."""
        ...

    async def gauges(
        self, since: Millis, until: Millis, step: Millis, agents: tuple[str, ...], names: tuple[str, ...] = ("*",)
    ) -> list[GaugePoint]:
        """Gauges per step, agent and name, of the names that match a pattern; steps without a reading are left out."""
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

    async def marks(self, source: str) -> dict[str, str]:
        """What a source has marked for itself, by name."""
        ...

    async def put_marks(self, source: str, changes: Mapping[str, str | None]) -> None:
        """Set and (None) remove marks of a source, all or none."""
        ...

    async def put_login(self, code_hash: str, expires_at: Millis) -> None: ...

    async def take_login(self, code_hash: str, now: Millis) -> bool:
        """True once per code, before it expires."""
        ...

    async def end_login(self, login_id: str, expires_at: Millis) -> None:
        """Keep, until it expires by itself, that this login has ended."""
        ...

    async def ended_logins(self) -> set[str]: ...

    async def prune(self, policy: RetentionPolicy, now: Millis, budget: int) -> int:
        """Delete at most ``budget`` rows that are too old; how many went. 0: nothing is left to do."""
        ...

    async def backup(self, target: Path) -> None: ...

    async def health(self) -> StoreHealth: ...
