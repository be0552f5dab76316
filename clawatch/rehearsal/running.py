"""One rehearsal: the real parts of a daemon around a store in memory, without doors, sources and notifiers."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from clawatch.assembly import Kept, Machine, Relay, assemble, equip
from clawatch.config.loading import Loaded
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import SEVERITY_RANK, AlertState, AlertType, Reason, Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event
from clawatch.domain.journal import AlertChanged, Committed, Edge, Entry, Unit
from clawatch.domain.time import MINUTE, SECOND, Millis
from clawatch.lifecycle import Lifecycle
from clawatch.settings import RuleSettings
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore

KEPT_ENTRIES = 100_000
OWNER = Principal(name="owner", user="owner", scopes=frozenset(Scope))
"""Who speaks for agents here."""


@dataclass
class Episode:
    """An alert from when it fired until it was over."""

    id: str
    rule: str
    agent_id: str
    subject: str
    fired_at: Millis
    severity: Severity
    """The highest that it reached."""
    message: str
    brake: str = ""
    """``pause`` or ``stop``: what would have been asked of its agent."""
    resolved_at: Millis | None = None


class Rehearsal:
    """Time stands still until ``until``. Nobody is told anything, and no brake is pulled: agents of the past do not
    obey. What an alert would have asked of its agent is said of it."""

    def __init__(self, machine: Machine, clock: FakeClock) -> None:
        self._machine = machine
        self._clock = clock
        self._episodes: dict[str, Episode] = {}
        self._policies: dict[int, RuleSettings] = {}
        self._settings_for = machine.rules.settings_for
        machine.rules.settings_for = self._without_brake

    @property
    def now(self) -> Millis:
        return self._clock.now().wall

    @property
    def episodes(self) -> list[Episode]:
        """In the order in which they fired."""
        return list(self._episodes.values())

    @property
    def failures(self) -> list[str]:
        """Rules that could not go on."""
        return [f"{one.name}: {one.switched_off}" for one in self._machine.rules.rules if one.switched_off]

    async def until(self, when: Millis) -> None:
        """Let time pass up to then; rules are woken when they asked to be."""
        while (left := when - self.now) > 0:
            self._clock.advance(min(left, self._next_look()))
            await self._settle()

    async def store(self, *events: Event) -> None:
        """Events as they were stored once."""
        await self._machine.store.append(events, self.now)
        await self._settle()

    async def say(self, *events: Event) -> None:
        """Events as an agent reports them: they are priced and cleaned first."""
        await self._machine.ingest.accept(events, OWNER)
        await self._settle()

    async def move(self, *edges: Edge) -> None:
        await self._machine.store.commit(Unit(edges=edges), self.now)
        await self._settle()

    def take(self, committed: Committed) -> None:
        for entry in committed.entries:
            if isinstance(entry.body, AlertChanged):
                self._note(entry.body, entry)

    async def _settle(self) -> None:
        while await self._machine.rules.step():
            pass

    def _next_look(self) -> Millis:
        """Until the next wake; where an alert only waits for time to pass, a second."""
        alerts = self._machine.desk.alerts()
        waits = any(alert.state is AlertState.PENDING or alert.clear_since for alert in alerts)
        longest = SECOND if waits else MINUTE
        wake_at = self._machine.rules.next_wake
        return longest if wake_at is None else max(1, min(longest, wake_at - self._clock.now().mono))

    def _note(self, body: AlertChanged, entry: Entry) -> None:
        alert = body.alert
        if body.reason is Reason.FIRED:
            self._episodes[alert.id] = Episode(
                alert.id, alert.rule, alert.agent_id, alert.subject, entry.at, alert.severity, alert.message
            )
        episode = self._episodes.get(alert.id)
        if episode is None:
            return
        if SEVERITY_RANK[alert.severity] > SEVERITY_RANK[episode.severity]:
            episode.severity, episode.message = alert.severity, alert.message
        if alert.state is AlertState.RESOLVED:
            episode.resolved_at = entry.at
        elif alert.calls_brake and alert.type is not AlertType.STUCK and alert.agent_id:
            action = self._settings_for(alert.rule, self._agent(alert.agent_id)).action
            episode.brake = "" if action == "none" else action

    def _agent(self, agent_id: str) -> Agent:
        return self._machine.fleet.get(agent_id) or Agent(id=agent_id, name=agent_id, created_at=0)

    def _without_brake(self, rule: str, agent: Agent) -> Any:
        settings: RuleSettings = self._settings_for(rule, agent)
        if settings.action == "none":
            return settings
        known = self._policies.get(id(settings))
        if known is None:
            known = self._policies[id(settings)] = settings.model_copy(update={"action": "none"})
        return known


@asynccontextmanager
async def rehearsing(loaded: Loaded, start: Millis, agents: Iterable[Agent] = ()) -> AsyncIterator[Rehearsal]:
    """With the configuration's rules and prices, beginning at ``start`` with these agents as they stood then."""
    config = replace(loaded.config, notifiers=(), routes=(), sources=(), apis=(), controllers=())
    clock, store, relay = FakeClock(start), MemoryStore(KEPT_ENTRIES), Relay()
    store.put_agents(agents)
    store.listen(relay)
    log = quiet_log()
    async with Lifecycle(log) as life:
        sock = socket.socket()  # nobody listens at it
        life.callback("socket", sock.close)
        sock.bind(("127.0.0.1", 0))
        machine = await assemble(replace(loaded, config=config), Kept(store, relay, sock), clock, log, life)
        await equip(machine)
        await machine.rules.warm_up(Downtime(0))
        rehearsal = Rehearsal(machine, clock)
        store.listen(rehearsal.take)
        yield rehearsal


def quiet_log() -> FilteringBoundLogger:
    """Only what goes wrong is said."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr), wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        processors=[structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer(colors=False)],
    )  # fmt: skip
    return log

