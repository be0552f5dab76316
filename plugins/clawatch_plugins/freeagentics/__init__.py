"""The FreeAgentics door: one WebSocket that shows dashboards the whole fleet, and takes commands from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch_plugins.freeagentics.settings import FreeAgenticsSettings

NAME = "freeagentics"


@asynccontextmanager
async def open_api(settings: FreeAgenticsSettings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.freeagentics.door import Door

    async with Door(core, settings).opened() as api:
        yield api


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, FreeAgenticsSettings, open_api)]
