"""The composition root: from a configuration to running parts, in order, on one lifecycle stack."""

from __future__ import annotations

import asyncio
import fcntl
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from structlog.typing import FilteringBoundLogger

from clawatch import chores
from clawatch.access import Access, AccessSettings
from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import DELIVERY_TIMEOUT, Outbox, Worker, abandon_others
from clawatch.alerting.routing import Route
from clawatch.bus import Bus
from clawatch.census import Census
from clawatch.clock import SystemClock
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
from clawatch.domain.time import HOUR
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
from clawatch.web.connections import listen
from clawatch.web.counters import Counters
from clawatch.web.knocking import KNOCK_EVERY, is_reachable, knock
from clawatch.web.server import WebSettings, serve
from clawatch.work import Work

ADDRESS = "address"
"""Under this name the store keeps the daemon's URL while it runs: options may have told it another than the file."""
CLOSE_WITHIN = 8.0
"""Seconds for everything above the store to end; the store gets what is left of the ten that people are promised."""
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
class Daemon:
    """A daemon at work."""

    url: str
    core: Core
    access: Access
    rules: Rules
    outbox: Outbox
    desk: Desk
    scheduler: Scheduler
    store: StorePort
    fleet: Fleet

    def status(self) -> str:
        """What there is to see, in one line."""
        firing = sum(alert.is_firing for alert in self.desk.alerts())
        return f"listening on {self.url}; {len(self.fleet)} agents, {firing} alerts firing"


class Misconfigured(ClaWatchError):
    """The daemon may not run like this; the remedy is in the configuration."""


@asynccontextmanager
async def keep(config: Config, log: FilteringBoundLogger) -> AsyncIterator[Kept]:
    """Open the store and bind the socket."""
    async with Lifecycle(log) as life:
        life.callback("lock", lock(config.data_dir).close)
        store = await life.enter("store", _open_store(config))
        relay = Relay()
        store.listen(relay)
        sock = listen(config.server.host, config.server.port)
        life.callback("socket", sock.close)
        yield Kept(store, relay, sock)


def lock(data_dir: Path) -> IO[str]:
    """Hold the data directory for this process. Raises ClaWatchError when another daemon has it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / "lock").open("a+")
    except OSError as error:
        said = f"{data_dir} cannot be used: {error.strerror}; set data_dir to a directory of ours"
        raise ClaWatchError(said) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ClaWatchError(f"another ClaWatch runs on {data_dir}; stop it, or set another data_dir") from None
    return file


def _open_store(config: Config) -> AbstractAsyncContextManager[StorePort]:
    return config.storage.contribution.open(config.storage.settings, config.data_dir)


async def first_key(config: Config, store: StorePort, clock: Clock) -> str | None:
    """The admin key, when it was made just now. Raises Misconfigured when there must be one and is none."""
    access = Access(store, _access_settings(config), clock)
    await access.open()
    try:
        return await access.first_key()
    except ClaWatchError as error:
        raise Misconfigured(str(error)) from None


@asynccontextmanager
async def opened_access(config: Config) -> AsyncIterator[Access]:
    """Keys and logins alone, for the command line; a daemon may run beside it."""
    async with _open_store(config) as store:
        settings, address = _access_settings(config), await store.secret(ADDRESS)
        access = Access(store, replace(settings, public_url=address) if address else settings, SystemClock())
        access.gives_away = config.redactor.gives_away
        await access.open()
        yield access


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[StorePort, Access]]:
    """The store and its keys, to look at; a daemon may run beside it."""
    async with _open_store(config) as store:
        access = Access(store, _access_settings(config), SystemClock())
        await access.refresh()
        yield store, access


@asynccontextmanager
async def work(loaded: Loaded, kept: Kept, clock: Clock, log: FilteringBoundLogger) -> AsyncIterator[Daemon]:
    """Run everything above the store until the context ends."""
    config = loaded.config
    store = kept.store
    async with Lifecycle(log, within=CLOSE_WITHIN) as life:
        # What a reload has left on its way into the store has to be there before it is read.
        with suppress(StoreUnavailable):
            await store.commit(Unit(), clock.now().wall)
        journal, bus = Journal(store), Bus()
        fleet = Fleet(await store.agents())
        notifier_names = [part.name for part in config.notifiers]
        desk = Desk(store, clock, _routes(config), notifier_names)
        commands = Commands(store, fleet, clock, ())
        await desk.load()
        working = Work(store, fleet, commands, clock)
        await commands.load()
        await working.load()
        kept.relay.listeners = (
            journal.apply, fleet.apply, commands.apply, working.apply, desk.apply,
            lambda c: bus.publish(c.entries)
        )
        life.callback("bus", bus.close)

        access = Access(store, _access_settings(config), clock)
        access.bound(kept.sock.getsockname()[1])
        await access.open()
        redactor = config.redactor
        census = Census(fleet, config.limits.agents)
        ingest = Ingest(store, clock, (), redact_with(redactor.text, redactor.value), kept.metrics, census)
        ingest.on_refused = fleet.hear
        ingest.gives_away = access.gives_away = redactor.gives_away
        scheduler = Scheduler(clock, config.timezone, log)
        life.callback("scheduler", scheduler.close)
        http = Outgoing()
        life.push("http", http.close)
        loops = Loops(log, kept.pulse)
        outbox = Outbox([], clock, log)
        rules = Rules(store, journal, fleet, desk, commands, [], _settings_for(config), clock, log)
        rules.on_blocked = outbox.warn_of_store
        ingest.is_ahead = lambda: store.head - rules.offset > MOST_AHEAD
        system = System(
            clock.now().wall, loops, rules, (), lambda: store.head, _part_reports(loaded),
            failing_routes=kept.counters.failing,
        )
        queries = Queries(store, journal, fleet, desk, commands, system.report)
        deeds = Deeds(commands, desk, fleet, outbox, redactor)
        Readings(
            store, fleet, desk, system, access, kept.pulse, kept.counters, clock, loaded
        ).publish(kept.metrics)
        recordings = Recordings(store.recordings, clock)
        life.push("recordings", recordings.close)
        core = Core(
            ingest=ingest, queries=queries, commands=deeds, access=access, bus=bus, clock=clock,
            scheduler=scheduler, http=http, log=log, timezone=config.timezone,
            vocabularies=tuple(
                GuardedVocabulary(one, system.guard("vocabularies", one.name)) for one in loaded.registry.vocabularies
            ),
            metrics=kept.metrics, marks=Marks(store), recordings=recordings, work=working,
            settings=ShownConfig(config),
        )
        opening = Opening(life, core, system)

        ingest.enrichers = [
            GuardedEnricher(enricher, system.guard("enrichers", part.name))
            async for part, enricher in opening.all("enricher", config.enrichers)
        ]
        commands.controllers = [
            GuardedController(controller, system.guard("controllers", part.name))
            async for part, controller in opening.all("controller", config.controllers)
        ]
        rules.rules = [
            Running(part.name, part.contribution.alert_type, rule)
            async for part, rule in opening.all("rule", config.rules)
        ]
        workers = [
            Worker(part.name, notifier, store, fleet, desk, commands, clock, log, kept.metrics)
            async for part, notifier in opening.all("notifier", config.notifiers)
        ]
        outbox.workers = {worker.name: worker for worker in workers}
        system.workers = workers
        desk.poke = outbox.poke

        with suppress(StoreUnavailable):
            await abandon_others(store, notifier_names, clock.now().wall, log)
        downtime = await chores.downtime(store, clock)
        with suppress(StoreUnavailable):
            await chores.tell_absence(downtime, store, notifier_names, clock)
        await rules.warm_up(downtime)
        life.push("commands", commands.carried)
        life.push("loops", loops.close)
        loops.every("rules", 0, rules.work)
        loops.every("work", 0, working.work)
        for worker in workers:
            loop = f"notifier {worker.name}"
            worker.beat = partial(kept.pulse.beat, loop, DELIVERY_TIMEOUT)
            loops.every(loop, 0, worker.work, busy=DELIVERY_TIMEOUT)
        loops.every("keys", 0.5, access.refresh)
        loops.every("silences", 1.0, lambda: desk.lift_expired(clock.now().wall))
        often = min(chores.ALIVE_EVERY, kept.pulse.patience)
        loops.every("store", often, partial(chores.stay_alive, store, clock, outbox))
        loops.every("clock", 1.0, chores.watch(scheduler))
        chores.schedule(loaded, core, scheduler, store, clock)
        recordings.launch_sweep()
        scheduler.every("recordings", HOUR, recordings.sweep)
        scheduler.start()

        async for part, source in opening.all("source", config.sources):
            system.sources.append((part.name, source))
            if hasattr(source, "carry"):
                controller = GuardedController(source, system.guard("controllers", part.name))
                commands.controllers = [controller, *commands.controllers]
        commands.launch_open()
        apis = [(part.name, api) async for part, api in opening.all("api", config.apis)]
        system.doors = [name for name, _ in apis]
        await life.enter("web", serve(
            apis, access, queries, _web_settings(config), clock, log, kept.sock, kept.counters, kept.pulse,
            kept.metrics,
        ))
        if await is_reachable(kept.sock.getsockname(), kept.counters):
            loops.every("web", KNOCK_EVERY, partial(knock, kept.sock.getsockname(), kept.counters))
        life.push("alive", partial(chores.mark_alive, store, clock))
        life.push("address", partial(store.put_secret, ADDRESS, ""))
        with suppress(StoreUnavailable):
            await store.put_secret(ADDRESS, access.public_url)
        yield Daemon(access.public_url, core, access, rules, outbox, desk, scheduler, store, fleet)


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


def _access_settings(config: Config) -> AccessSettings:
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


def _web_settings(config: Config) -> WebSettings:
    return WebSettings(rest=config.limits.rest, ingest=config.limits.ingest)


def _part_reports(loaded: Loaded) -> tuple[PartReport, ...]:
    """What does not change while the daemon runs."""
    return tuple(
        PartReport(section="plugins", name=report.name, state=report.state, detail=report.detail)
        for report in loaded.registry.reports
    )
