"""Everything there is to read."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command, ControlKind
from clawatch.domain.journal import Entry
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis
from clawatch.ports.store import AlertFilter, Costs, EventFilter, GaugePoint, LatencyPoint, Page, Point, StoreHealth


class Controlling(Struct, frozen=True, kw_only=True):
    """How an agent is controlled, and how far its newest control command has come."""

    kind: ControlKind
    described: str
    command: Command | None


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

    def open_alerts(self, rule: str) -> list[Alert]:
        """A rule's alerts that fire, and those that will once they have held for long enough. From memory."""
        ...

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
