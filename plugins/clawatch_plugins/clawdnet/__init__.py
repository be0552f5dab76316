"""The ClawdNet door: a WebSocket that bots send to and dashboards listen to, and the metrics API beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch_plugins.clawdnet.settings import ClawdNetSettings

NAME = "clawdnet"


@asynccontextmanager
async def open_api(settings: ClawdNetSettings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.clawdnet.door import Door

    yield Door(core, settings).api()


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, ClawdNetSettings, open_api)]
