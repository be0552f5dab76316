"""The DevSkyy door: five WebSocket channels and the REST API of its dashboard, over the one fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch_plugins.devskyy.settings import DevSkyySettings

NAME = "devskyy"


@asynccontextmanager
async def open_api(settings: DevSkyySettings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.devskyy.door import Door

    async with Door(core, settings).opened() as api:
        yield api


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, DevSkyySettings, open_api)]
