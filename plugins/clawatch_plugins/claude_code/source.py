"""The source that follows Claude Code's transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from pydantic import Field

from clawatch.apis.tailing import FilesSettings, follow
from clawatch.apis.transcripts import sources_of
from clawatch.domain.access import MAX_AGENT_ID
from clawatch.domain.remarks import Remark
from clawatch.ports import Core, Source
from clawatch.settings import Surroundings
from clawatch_plugins.claude_code.checkup import examine_settings, settings_file
from clawatch_plugins.claude_code.door import sessions_of
from clawatch_plugins.claude_code.identity import TRANSCRIPTS_SOURCE
from clawatch_plugins.claude_code.transcripts import WANTS, Heard, Seen, Transcript


class TranscriptsSettings(FilesSettings):
    usual = ("$CLAUDE_CONFIG_DIR/projects", "~/.config/claude/projects", "~/.claude/projects")

    agent: str | None = Field(default=None, min_length=1, max_length=MAX_AGENT_ID)
    """The agent that all sessions are, where hooks and telemetry name one; else each session is its own."""

    async def examine(self, surroundings: Surroundings) -> Sequence[Remark]:
        """The transcripts, and what Claude Code's own settings make it report."""
        files = await super().examine(surroundings)
        told = await asyncio.to_thread(examine_settings, settings_file(), surroundings.public_url)
        return [*files, *told]


@asynccontextmanager
async def open_transcripts(settings: TranscriptsSettings, core: Core) -> AsyncIterator[Source]:
    """A ``ports.Source`` that goes on where it was left."""
    sessions, sources = sessions_of(core), sources_of(core)
    heard = Heard(
        agent=settings.agent,
        is_hooked=lambda agent, session: (agent, session) in sessions.hooked,
        is_known=lambda agent: bool(sources(agent)),
        answers=Seen(),
    )
    async with follow(core, *settings.followed(TRANSCRIPTS_SOURCE, partial(Transcript, heard=heard), WANTS)) as source:
        yield source
