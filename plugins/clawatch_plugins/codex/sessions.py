"""The source that follows Codex's rollouts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from clawatch.apis.tailing import FilesSettings, follow
from clawatch.apis.transcripts import sources_of
from clawatch.ports import Core, Source
from clawatch_plugins.codex.rollouts import SESSIONS_SOURCE, WANTS, Rollout


class RolloutsSettings(FilesSettings):
    usual = ("$CODEX_HOME/sessions", "~/.codex/sessions")
    patterns = ("**/rollout-*.jsonl",)


@asynccontextmanager
async def open_rollouts(settings: RolloutsSettings, core: Core) -> AsyncIterator[Source]:
    """A ``ports.Source`` that goes on where it was left."""
    reader = partial(Rollout, sources=sources_of(core))
    async with follow(core, *settings.followed(SESSIONS_SOURCE, reader, WANTS)) as source:
        yield source
