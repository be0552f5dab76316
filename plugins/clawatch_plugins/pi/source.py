"""The source that follows pi's session files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.tailing import FilesSettings, follow
from clawatch.ports import Core, Source
from clawatch_plugins.pi.sessions import SOURCE, WANTS, Session


class SessionsSettings(FilesSettings):
    usual = ("$PI_CODING_AGENT_DIR/sessions", "~/.pi/agent/sessions")


@asynccontextmanager
async def open_sessions(settings: SessionsSettings, core: Core) -> AsyncIterator[Source]:
    """A ``ports.Source`` that goes on where it was left."""
    async with follow(core, *settings.followed(SOURCE, Session, WANTS)) as source:
        yield source
