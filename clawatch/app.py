"""The composition root: from a configuration to running parts, in order, on one lifecycle stack."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from structlog.typing import FilteringBoundLogger

from clawatch import chores
from clawatch.access import Access
from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import DELIVERY_TIMEOUT, Outbox, abandon_others
from clawatch.assembly import Kept, Machine, Relay, access_settings, assemble, equip
from clawatch.clock import SystemClock
from clawatch.config.effective import Config
from clawatch.config.loading import Loaded
from clawatch.domain.time import HOUR
from clawatch.fleet import Fleet
from clawatch.guards import GuardedController
from clawatch.lifecycle import Lifecycle
from clawatch.ports import ClaWatchError, Clock, Core, StorePort, StoreUnavailable
from clawatch.recordings import Recordings
from clawatch.rules import Rules
from clawatch.scheduler import Scheduler
from clawatch.web.connections import listen
from clawatch.web.knocking import KNOCK_EVERY, is_reachable, knock
from clawatch.web.server import WebSettings, serve

ADDRESS = "address"
"""Under this name the store keeps the daemon's URL while it runs: options may have told it another than the file."""
CLOSE_WITHIN = 8.0
"""Seconds for everything above the store to end; the store gets what is left of the ten that people are promised."""


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
    access = Access(store, access_settings(config), clock)
    await access.open()
    try:
        return await access.first_key()
    except ClaWatchError as error:
        raise Misconfigured(str(error)) from None


@asynccontextmanager
async def opened_access(config: Config) -> AsyncIterator[Access]:
    """Keys and logins alone, for the command line; a daemon may run beside it."""
    async with _open_store(config) as store:
        settings, address = access_settings(config), await store.secret(ADDRESS)
        access = Access(store, replace(settings, public_url=address) if address else settings, SystemClock())
        access.gives_away = config.redactor.gives_away
        await access.open()
        yield access


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[StorePort, Access]]:
    """The store and its keys, to look at; a daemon may run beside it."""
    async with _open_store(config) as store:
        access = Access(store, access_settings(config), SystemClock())
        await access.refresh()
        yield store, access


@asynccontextmanager
async def opened_recordings(config: Config) -> AsyncIterator[tuple[StorePort, Recordings]]:
    """The store and its recordings, to read; a daemon may run beside it."""
    async with _open_store(config) as store:
        yield store, Recordings(store.recordings, SystemClock())


@asynccontextmanager
async def work(loaded: Loaded, kept: Kept, clock: Clock, log: FilteringBoundLogger) -> AsyncIterator[Daemon]:
    """Run everything above the store until the context ends."""
    async with Lifecycle(log, within=CLOSE_WITHIN) as life:
        machine = await assemble(loaded, kept, clock, log, life)
        await equip(machine)
        await _catch_up(machine)
        _set_going(machine)
        chores.schedule(loaded, machine.core, machine.scheduler, machine.store, clock)
        machine.scheduler.start()
        await _let_in(machine)
        yield Daemon(
            machine.access.public_url, machine.core, machine.access, machine.rules, machine.outbox, machine.desk,
            machine.scheduler, machine.store, machine.fleet,
        )


async def _catch_up(machine: Machine) -> None:
    """Settle what the last life has left, tell how long there was none, and let the rules remember."""
    store, clock, notifiers = machine.store, machine.clock, machine.notifiers
    with suppress(StoreUnavailable):
        await abandon_others(store, notifiers, clock.now().wall, machine.log)
    downtime = await chores.downtime(store, clock)
    with suppress(StoreUnavailable):
        await chores.tell_absence(downtime, store, notifiers, clock)
    await machine.rules.warm_up(downtime)


def _set_going(machine: Machine) -> None:
    """Everything that comes round again and again."""
    life, loops, pulse = machine.life, machine.loops, machine.kept.pulse
    store, clock, desk, recordings = machine.store, machine.clock, machine.desk, machine.recordings
    life.push("commands", machine.commands.carried)
    life.push("loops", loops.close)
    loops.every("rules", 0, machine.rules.work)
    loops.every("work", 0, machine.working.work)
    for worker in machine.outbox.workers.values():
        loop = f"notifier {worker.name}"
        worker.beat = partial(pulse.beat, loop, DELIVERY_TIMEOUT)
        loops.every(loop, 0, worker.work, busy=DELIVERY_TIMEOUT)
    loops.every("keys", 0.5, machine.access.refresh)
    loops.every("silences", 1.0, lambda: desk.lift_expired(clock.now().wall))
    often = min(chores.ALIVE_EVERY, pulse.patience)
    loops.every("store", often, partial(chores.stay_alive, store, clock, machine.outbox))
    loops.every("clock", 1.0, chores.watch(machine.scheduler))
    recordings.launch_sweep()
    machine.scheduler.every("recordings", HOUR, recordings.sweep)


async def _let_in(machine: Machine) -> None:
    """Sources first, the doors last; a shutdown goes the other way round."""
    config, system, commands, kept = machine.config, machine.system, machine.commands, machine.kept
    async for part, source in machine.opening.all("source", config.sources):
        system.sources.append((part.name, source))
        if hasattr(source, "carry"):
            controller = GuardedController(source, system.guard("controllers", part.name))
            commands.controllers = [controller, *commands.controllers]
    commands.launch_open()
    apis = [(part.name, api) async for part, api in machine.opening.all("api", config.apis)]
    system.doors = [name for name, _ in apis]
    await machine.life.enter("web", serve(
        apis, machine.access, machine.queries, _web_settings(config), machine.clock, machine.log, kept.sock,
        kept.counters, kept.pulse, kept.metrics,
    ))
    if await is_reachable(kept.sock.getsockname(), kept.counters):
        machine.loops.every("web", KNOCK_EVERY, partial(knock, kept.sock.getsockname(), kept.counters))
    machine.life.push("alive", partial(chores.mark_alive, machine.store, machine.clock))
    machine.life.push("address", partial(machine.store.put_secret, ADDRESS, ""))
    with suppress(StoreUnavailable):
        await machine.store.put_secret(ADDRESS, machine.access.public_url)


def _web_settings(config: Config) -> WebSettings:
    return WebSettings(rest=config.limits.rest, ingest=config.limits.ingest)
