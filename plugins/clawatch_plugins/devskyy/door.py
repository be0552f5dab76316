"""The door as one value, and what runs for all its clients together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.ports import Core
from clawatch_plugins.devskyy.agents import Agents
from clawatch_plugins.devskyy.asking import envelope
from clawatch_plugins.devskyy.channels import Channels
from clawatch_plugins.devskyy.meter import Meter
from clawatch_plugins.devskyy.monitoring import MonitoringRoutes
from clawatch_plugins.devskyy.origins import ORIGINS, Listeners
from clawatch_plugins.devskyy.round_table import RoundTable
from clawatch_plugins.devskyy.settings import DevSkyySettings
from clawatch_plugins.devskyy.tasks import Tasks

PATHS = ("/api/v1/agents", "/api/v1/tasks", "/api/v1/round-table", "/api/v1/monitoring", "/api/ws", "/ws/")
TRY_AGAIN = 1.0
"""Seconds after which something that failed goes on."""


class Door:
    def __init__(self, core: Core, settings: DevSkyySettings) -> None:
        self._core = core
        self._channels = Channels(core, Listeners(core, settings.anonymous_websocket), settings.keepalive)
        self._meter = Meter(core, self._channels)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Api]:
        running = [asyncio.create_task(self._keep(work)) for work in (self._channels.keep_alive, self._meter.run)]
        try:
            yield self._api()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _api(self) -> Api:
        core, channels = self._core, self._channels
        parts = (
            Agents(core, channels.tell), Tasks(core), RoundTable(core), MonitoringRoutes(core, channels, self._meter),
            channels,
        )
        return Api(
            routes=tuple(route for part in parts for route in part.routes()),
            envelope=envelope, paths=PATHS, origins=ORIGINS, tells_rate=True,
        )

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                self._core.log.exception("devskyy.failed")
                await asyncio.sleep(TRY_AGAIN)
