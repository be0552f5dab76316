"""The AgentVerse door: recordings, read-only, as its telemetry API serves them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch.settings import Settings

NAME = "agentverse"


@asynccontextmanager
async def open_api(settings: Settings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.agentverse.door import Door

    yield Door(core).api()


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, Settings, open_api)]
