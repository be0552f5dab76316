"""The source that follows Gemini CLI's session files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from clawatch.apis.tailing import FilesSettings, follow
from clawatch.apis.transcripts import sources_of
from clawatch.ports import Core, Source
from clawatch_plugins.gemini.sessions import SESSIONS_SOURCE, WANTS, Session


class SessionsSettings(FilesSettings):
    usual = ("$GEMINI_CLI_HOME/.gemini/tmp", "~/.gemini/tmp")
    patterns = ("*/chats/session-*.jsonl", "*/chats/*/*.jsonl")


@asynccontextmanager
async def open_sessions(settings: SessionsSettings, core: Core) -> AsyncIterator[Source]:
    """A ``ports.Source`` that goes on where it was left."""
    reader = partial(Session, sources=sources_of(core))
    async with follow(core, *settings.followed(SESSIONS_SOURCE, reader, WANTS)) as source:
        yield source
