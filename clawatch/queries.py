"""Queries: everything there is to read. A principal sees the agents its patterns match, nothing else."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from clawatch.alerting.desk import Desk
from clawatch.alerting.muting import is_own
from clawatch.commands import Commands
from clawatch.domain.access import Principal, exact
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command
from clawatch.domain.journal import Entry
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis
from clawatch.domain.work import may_see
from clawatch.fleet import Fleet
from clawatch.journal import Journal
from clawatch.ports import (
    AlertFilter,
    Controlling,
    Costs,
    EventFilter,
    GaugePoint,
    Invalid,
    LatencyPoint,
    NotFound,
    Page,
    Point,
    StorePort,
    SystemReport,
)

MAX_LIMIT = 1000


class Queries:
    """See ``ports.QueriesPort``."""

    def __init__(
        self,
        store: StorePort,
        journal: Journal,
        fleet: Fleet,
        desk: Desk,
        commands: Commands,
        system: Callable[[], SystemReport],
    ) -> None:
        self._store = store
        self._journal = journal
        self._fleet = fleet
        self._desk = desk
        self._commands = commands
        self._system = system

    # -- agents

    def agents(self, principal: Principal) -> list[Agent]:
        agents = self._fleet.newest_first()
        return agents if principal.sees_all else [agent for agent in agents if principal.sees(agent.id)]

    def agent(self, agent_id: str, principal: Principal) -> Agent:
        agent = self._fleet.get(agent_id)
        if agent is None or not principal.sees(agent_id):
            raise NotFound("Agent not found")
        return agent

    def controlling(self, agent: Agent) -> Controlling:
        return self._commands.controlling(agent)

    @property
    def commands_changed(self) -> int:
        return self._commands.changed

    # -- what the store keeps

    async def events(
        self, principal: Principal, where: EventFilter, cursor: str | None = None, limit: int = 50
    ) -> Page[Entry]:
        return await self._store.events(replace(where, agents=principal.agents), cursor, _bounded(limit))

    async def alerts(
        self, principal: Principal, where: AlertFilter, cursor: str | None = None, limit: int = 100
    ) -> Page[Alert]:
        return await self._store.alerts(replace(where, agents=principal.agents), cursor, _bounded(limit))

    async def alert(self, alert_id: str, principal: Principal) -> Alert:
        alert = self._desk.by_id(alert_id) or await self._store.alert(alert_id)
        if alert is None or not principal.sees(alert.agent_id):
            raise NotFound("Alert not found")
        return alert

    def open_alerts(self, rule: str) -> list[Alert]:
        return [alert for alert in self._desk.alerts() if alert.rule == rule]

    def silenced_until(self, alert: Alert) -> Millis | None:
        return self._desk.silenced_until(alert)

    async def costs(
        self, principal: Principal, since: Millis | None, until: Millis | None, agent_id: str | None
    ) -> Costs:
        if agent_id is not None and not principal.sees(agent_id):
            return Costs(lines=())
        agents = principal.agents if agent_id is None else (exact(agent_id),)
        return await self._store.costs(since, until, agents)

    async def series(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, by: str, agent_id: str | None
    ) -> list[Point]:
        if agent_id is not None and not principal.sees(agent_id):
            return []
        agents = principal.agents if agent_id is None else (exact(agent_id),)
        return await self._store.series(since, until, step, by, agents)

    async def latencies(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, by: str = "",
        agent_id: str | None = None,
    ) -> list[LatencyPoint]:
        return await self._store.latencies(since, until, step, by, _visible(principal, agent_id))

    async def gauges(
        self, principal: Principal, since: Millis, until: Millis, step: Millis, agent_id: str | None = None,
        names: tuple[str, ...] = ("*",),
    ) -> list[GaugePoint]:
        return await self._store.gauges(since, until, step, _visible(principal, agent_id), names)

    async def runs(
        self, principal: Principal, cursor: str | None = None, limit: int = 100, agent_id: str | None = None,
        kind: str | None = None, statuses: tuple[RunStatus, ...] = (),
    ) -> Page[Run]:
        agents = (*principal.agents, "")
        page = await self._store.runs(agents, cursor, _bounded(limit), agent_id, kind, statuses)
        return Page(tuple(run for run in page.items if may_see(run, principal)), page.next)

    async def run(self, run_id: str, principal: Principal, agent_id: str | None = None) -> Run:
        is_foreign = agent_id is not None and not principal.sees(agent_id)
        agents = (*principal.agents, "") if agent_id is None else (exact(agent_id),)
        run = None if is_foreign else await self._store.run(run_id, agents)
        if run is None or not may_see(run, principal):
            raise NotFound("Run not found")
        return run

    async def commands(
        self, principal: Principal, agent_id: str | None, cursor: str | None = None, limit: int = 100
    ) -> Page[Command]:
        if agent_id is not None:
            self.agent(agent_id, principal)
        return await self._store.commands(agent_id, cursor, _bounded(limit), principal.agents)

    async def silences(self, principal: Principal) -> list[Silence]:
        return [silence for silence in self._desk.silences() if is_own(silence, principal)]

    async def system(self) -> SystemReport:
        report = self._system()
        store = await self._store.health()
        status = report.status if store.ok else "degraded"
        return replace(report, store=store, outbox=await self._store.outbox_size(), status=status)

    # -- the journal

    def cursor(self) -> str:
        return self._journal.cursor()

    async def after(self, cursor: str, limit: int) -> list[Entry] | None:
        seq = self._journal.seq_of(cursor)
        return None if seq is None else await self._journal.read(seq, _bounded(limit))


def _bounded(limit: int) -> int:
    if limit < 1:
        raise Invalid("limit must be 1 or more")
    return min(limit, MAX_LIMIT)


def _visible(principal: Principal, agent_id: str | None) -> tuple[str, ...]:
    """Patterns of what is asked for: all the principal may see, one agent, or nothing."""
    if agent_id is None:
        return principal.agents
    return (exact(agent_id),) if principal.sees(agent_id) else ()
