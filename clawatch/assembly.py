"""From a configuration to the parts of a daemon, each knowing the others it needs; none of them is at work yet."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from structlog.typing import FilteringBoundLogger

from clawatch.access import Access, AccessSettings
from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import Outbox, Worker
from clawatch.alerting.routing import Route
from clawatch.bus import Bus
from clawatch.census import Census
from clawatch.commands import Commands
from clawatch.config.effective import Config
from clawatch.config.loading import Loaded
from clawatch.config.parts import Part
from clawatch.config.shown import ShownConfig
from clawatch.deeds import Deeds
from clawatch.domain.access import Scope
from clawatch.domain.agents import Agent
from clawatch.domain.journal import Committed, Unit
from clawatch.domain.metrics import Metrics
from clawatch.fleet import Fleet
from clawatch.guards import GuardedController, GuardedEnricher, GuardedVocabulary
from clawatch.ingest import Ingest, redact_with
from clawatch.journal import Journal
from clawatch.lifecycle import Lifecycle
from clawatch.marks import Marks
from clawatch.outgoing import Outgoing
from clawatch.ports import ClaWatchError, Clock, Core, PartReport, StorePort, StoreUnavailable
from clawatch.pulse import Pulse
from clawatch.queries import Queries
from clawatch.readings import Readings
from clawatch.recordings import Recordings
from clawatch.rules import Rules, Running
from clawatch.scheduler import Scheduler
from clawatch.system import Loops, System
from clawatch.web.counters import Counters
from clawatch.work import Work

OPEN_WITHIN = 30.0
"""Seconds for one part of a plugin's; what it waits for outside is its own business, in the background."""
MOST_AHEAD = 100_000
"""Entries that the rules may be behind before senders have to wait; they judge some thousands a second."""


class Relay:
    """The store's one listener, passing commits to whoever is at work now; a reload changes who that is."""

    def __init__(self) -> None:
        self.listeners: tuple[Callable[[Committed], None], ...] = ()

    def __call__(self, committed: Committed) -> None:
        for listener in self.listeners:
            listener(committed)


@dataclass(frozen=True)
class Kept:
    """What outlives a reload: the store and the listening socket."""

    store: StorePort
    relay: Relay
    sock: socket.socket
    pulse: Pulse = field(default_factory=Pulse)
    metrics: Metrics = field(default_factory=Metrics)
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True)
class Machine:
    """The parts of a daemon. Its ``life`` closes them, the last first."""

    config: Config
    kept: Kept
    clock: Clock
    log: FilteringBoundLogger
    life: Lifecycle
    fleet: Fleet
    desk: Desk
    commands: Commands
    working: Work
    access: Access
    ingest: Ingest
    scheduler: Scheduler
    loops: Loops
    outbox: Outbox
    rules: Rules
    system: System
    queries: Queries
    recordings: Recordings
    core: Core

    @property
    def store(self) -> StorePort:
        return self.kept.store

    @property
    def notifiers(self) -> list[str]:
        return [part.name for part in self.config.notifiers]

    @property
    def opening(self) -> Opening:
        return Opening(self.life, self.core, self.system)


async def assemble(
    loaded: Loaded, kept: Kept, clock: Clock, log: FilteringBoundLogger, life: Lifecycle
) -> Machine:
    """Read from the store what stands in memory, and put the core together around it."""
    config, store = loaded.config, kept.store
    # What a reload has left on its way into the store has to be there before it is read.
    with suppress(StoreUnavailable):
        await store.commit(Unit(), clock.now().wall)
    journal, bus = Journal(store), Bus()
    fleet = Fleet(await store.agents())
    desk = Desk(store, clock, _routes(config), [part.name for part in config.notifiers])
    commands = Commands(store, fleet, clock, ())
    working = Work(store, fleet, commands, clock)
    await desk.load()
    await commands.load()
    await working.load()
    kept.relay.listeners = (
        journal.apply, fleet.apply, commands.apply, working.apply, desk.apply, lambda c: bus.publish(c.entries)
    )
    life.callback("bus", bus.close)

    redactor = config.redactor
    access = Access(store, access_settings(config), clock)
    access.bound(kept.sock.getsockname()[1])
    await access.open()
    census = Census(fleet, config.limits.agents)
    ingest = Ingest(store, clock, (), redact_with(redactor.text, redactor.value), kept.metrics, census)
    ingest.on_refused = fleet.hear
    ingest.gives_away = access.gives_away = redactor.gives_away
    scheduler = Scheduler(clock, config.timezone, log)
    life.callback("scheduler", scheduler.close)
    http = Outgoing()
    life.push("http", http.close)

    loops, outbox = Loops(log, kept.pulse), Outbox([], clock, log)
    desk.poke = outbox.poke
    rules = Rules(store, journal, fleet, desk, commands, [], _settings_for(config), clock, log)
    rules.on_blocked = outbox.warn_of_store
    ingest.is_ahead = lambda: store.head - rules.offset > MOST_AHEAD
    system = System(
        clock.now().wall, loops, rules, (), lambda: store.head, _part_reports(loaded),
        failing_routes=kept.counters.failing,
    )
    queries = Queries(store, journal, fleet, desk, commands, system.report)
    Readings(store, fleet, desk, system, access, kept.pulse, kept.counters, clock, loaded).publish(kept.metrics)
    recordings = Recordings(store.recordings, clock)
    life.push("recordings", recordings.close)
    core = Core(
        ingest=ingest, queries=queries, commands=Deeds(commands, desk, fleet, outbox, redactor), access=access, bus=bus,
        clock=clock, scheduler=scheduler, http=http, log=log, timezone=config.timezone,
        vocabularies=tuple(
            GuardedVocabulary(one, system.guard("vocabularies", one.name)) for one in loaded.registry.vocabularies
        ),
        metrics=kept.metrics, marks=Marks(store), recordings=recordings, work=working, settings=ShownConfig(config),
    )
    return Machine(
        config, kept, clock, log, life, fleet, desk, commands, working, access, ingest, scheduler, loops, outbox, rules,
        system, queries, recordings, core,
    )


async def equip(machine: Machine) -> None:
    """Open what plugins contribute to the core itself; sources and doors come when it is at work."""
    config, system, opening = machine.config, machine.system, machine.opening
    machine.ingest.enrichers = [
        GuardedEnricher(enricher, system.guard("enrichers", part.name))
        async for part, enricher in opening.all("enricher", config.enrichers)
    ]
    machine.commands.controllers = [
        GuardedController(controller, system.guard("controllers", part.name))
        async for part, controller in opening.all("controller", config.controllers)
    ]
    machine.rules.rules = [
        Running(part.name, part.contribution.alert_type, rule)
        async for part, rule in opening.all("rule", config.rules)
    ]
    workers = [
        Worker(
            part.name, notifier, machine.store, machine.fleet, machine.desk, machine.commands, machine.clock,
            machine.log, machine.kept.metrics,
        )
        async for part, notifier in opening.all("notifier", config.notifiers)
    ]
    machine.outbox.workers = {worker.name: worker for worker in workers}
    system.workers = workers


@dataclass(frozen=True)
class Opening:
    """Opens what plugins contribute. What the configuration does not name may fail: the daemon does without."""

    life: Lifecycle
    core: Core
    system: System

    async def all(self, kind: str, parts: Sequence[Part[Any]]) -> AsyncIterator[tuple[Part[Any], Any]]:
        """Each part with what it opened to, in order. Raises ClaWatchError for one that is needed and fails."""
        for part in parts:
            try:
                async with asyncio.timeout(OPEN_WITHIN):
                    opened = await self.life.enter(
                        f"{kind} {part.name}", part.contribution.open(part.settings, self.core)
                    )
            except ClaWatchError:
                raise
            except Exception as error:
                why = f"the {kind} {part.name} of the plugin {part.plugin} cannot be opened: {type(error).__name__}"
                self.core.log.exception("part.not_opened", part=part.name, kind=kind)
                if part.is_named:
                    raise ClaWatchError(f"{why}; the log says more") from error
                self.system.broken.append(PartReport(section=f"{kind}s", name=part.name, state="broken", detail=why))
                continue
            yield part, opened


def _settings_for(config: Config) -> Callable[[str, Agent], Any]:
    settings, base = config.rule_book.settings, config.rule_book.base
    if not config.rule_book.overrides:
        return lambda rule, agent: base[rule]
    return lambda rule, agent: settings(rule, agent.id, agent.ruled_as)


def _routes(config: Config) -> list[Route]:
    return [
        Route(
            notifiers=tuple(route.notifiers),
            severity=route.match.severity or "",
            rule=route.match.rule,
            agent=route.match.agent,
        )
        for route in config.routes
    ]


def access_settings(config: Config) -> AccessSettings:
    server, auth = config.server, config.auth
    return AccessSettings(
        keys=auth.fixed_keys,
        loopback=tuple(Scope(scope) for scope in auth.loopback),
        token_ttl=auth.token_ttl,
        host=server.host,
        port=server.port,
        public_url=server.public_url,
        trusted_proxies=server.trusted_proxies,
        cors_origins=server.cors_origins,
        guesses=config.limits.login,
    )


def _part_reports(loaded: Loaded) -> tuple[PartReport, ...]:
    """What does not change while the daemon runs."""
    return tuple(
        PartReport(section="plugins", name=report.name, state=report.state, detail=report.detail)
        for report in loaded.registry.reports
    )
