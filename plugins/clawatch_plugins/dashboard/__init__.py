"""The dashboard: the page that people leave open all day. It holds no data; it asks the public API for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch.settings import Settings

NAME = "dashboard"


@asynccontextmanager
async def open_api(settings: Settings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.dashboard.door import STATIC, api_of
    from clawatch_plugins.dashboard.files import read_page

    yield api_of(read_page(STATIC))


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution(NAME, Settings, open_api)]
