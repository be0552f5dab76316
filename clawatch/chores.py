"""The daemon's own chores: noting that it is alive, pruning, forgetting sessions, and plugins' jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice

import msgspec

from clawatch.alerting.absence import rows_about
from clawatch.alerting.outbox import Outbox
from clawatch.config.loading import Loaded
from clawatch.domain.access import CORE
from clawatch.domain.agents import may_be_forgotten
from clawatch.domain.downtime import Downtime, Gap
from clawatch.domain.journal import Unit
from clawatch.domain.time import HOUR, MINUTE, Millis
from clawatch.ports import Clock, Core, NotFound, StorePort, StoreUnavailable
from clawatch.scheduler import Scheduler

ALIVE = "alive_at"
"""Under this name the store keeps when the daemon was last alive; the gap is its own downtime."""
ABSENCES = "absences"
"""And under this one when it was not, as far as that is of interest: an agent may have been silent over several."""
MOST_ABSENCES = 200
ALIVE_EVERY = 10.0
"""Seconds."""
PRUNE_BUDGET = 2_000
PRUNE_ROUNDS = 500
FORGET_AT_ONCE = 1_000


async def downtime(store: StorePort, clock: Clock) -> Downtime:
    """How long we were away, now and before; 0 at the first start."""
    now, said = clock.now().wall, await store.secret(ALIVE)
    known = msgspec.json.decode(await store.secret(ABSENCES) or "[]", type=list[Gap])
    gaps = [*known, (int(said), now)] if said and int(said) < now else known
    with suppress(StoreUnavailable):
        await store.put_secret(ABSENCES, msgspec.json.encode(gaps[-MOST_ABSENCES:]).decode())
    return Downtime.until(now, gaps)


async def mark_alive(store: StorePort, clock: Clock) -> None:
    await store.put_secret(ALIVE, str(clock.now().wall))


async def stay_alive(store: StorePort, clock: Clock, outbox: Outbox) -> None:
    """The first to notice that nothing can be written, also while there is nothing to write.

    It goes to the disk and back the way that events go, so as a loop it shows whether the writer gets on.
    """
    try:
        await mark_alive(store, clock)
    except StoreUnavailable as error:
        outbox.warn_of_store(str(error))
        raise


async def tell_absence(downtime: Millis, store: StorePort, notifiers: Sequence[str], clock: Clock) -> None:
    now = clock.now().wall
    rows = rows_about(downtime, notifiers, now)
    if rows:
        await store.commit(Unit(outbox=rows), now)


def watch(scheduler: Scheduler) -> Callable[[], Awaitable[None]]:
    async def watch() -> None:
        scheduler.watch_clock()

    return watch


def schedule(loaded: Loaded, core: Core, scheduler: Scheduler, store: StorePort, clock: Clock) -> None:
    policy = loaded.config.retention.policy

    async def prune() -> None:
        for _ in range(PRUNE_ROUNDS):
            if not await store.prune(policy, clock.now().wall, PRUNE_BUDGET):
                return

    # Soon after the start as well: one that starts again every half hour would never come to it.
    scheduler.every("retention", HOUR, prune, first=MINUTE)
    scheduler.every("sessions", HOUR, partial(forget_sessions, core, loaded.config.retention.agents), first=MINUTE)
    for provided in loaded.registry.jobs.values():
        job = provided.part
        run = partial(job.run, core)
        if job.period is not None:
            scheduler.every(job.name, job.period, run)
        if job.daily_at is not None:
            scheduler.daily(job.name, job.daily_at, run)


async def forget_sessions(core: Core, after: Millis) -> None:
    """Make room: agents that were a session each would fill memory, and nobody hears of them again."""
    before = core.clock.now().wall - after
    silent = (agent.id for agent in core.queries.agents(CORE) if may_be_forgotten(agent, before))
    for agent_id in islice(silent, FORGET_AT_ONCE):
        with suppress(NotFound):
            await core.commands.remove_agent(agent_id, CORE)
