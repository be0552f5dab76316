"""OpenClaw: its transcripts and audit ledger as a source, its gateway as a source and a brake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from clawatch.hookspecs import hookimpl
from clawatch.ports import Connection, Contribution, Core
from clawatch_plugins.openclaw.connecting import CONNECTION
from clawatch_plugins.openclaw.identity import SOURCE
from clawatch_plugins.openclaw.settings import OpenClawSettings


@asynccontextmanager
async def open_openclaw(settings: OpenClawSettings, core: Core) -> AsyncIterator[Any]:
    from clawatch_plugins.openclaw.source import open_source

    async with open_source(settings, core) as source:
        yield source


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    return [Contribution(SOURCE, OpenClawSettings, open_openclaw)]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
