"""The API of our own: the ClaWatch contract, what stands beside it, and the live stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch.settings import Settings

NAME = "clawatch"


@asynccontextmanager
async def open_api(settings: Settings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.clawatch.door import api_of

    yield api_of(core)


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, Settings, open_api)]
