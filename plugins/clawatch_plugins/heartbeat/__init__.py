"""An outbound heartbeat: whoever expects it (Healthchecks, Uptime Kuma, a cron of yours) notices when we are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch_plugins.heartbeat.settings import HeartbeatSettings


@asynccontextmanager
async def open_heartbeat(settings: HeartbeatSettings, core: Core) -> AsyncIterator[Any]:
    from clawatch_plugins.heartbeat.beating import Heart

    heart = Heart(settings, core)
    beating = asyncio.create_task(heart.run(), name="heartbeat")
    try:
        yield heart
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    """A source, since that is a part with settings that works by itself; what it tells of is the daemon."""
    return [Contribution("heartbeat", HeartbeatSettings, open_heartbeat)]
