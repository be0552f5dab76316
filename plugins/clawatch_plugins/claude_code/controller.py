"""How Claude Code is controlled: by refusing, at its hooks, to let it go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.agents import Agent
from clawatch.domain.commands import LASTING, Command, CommandState, CommandType, ControlKind
from clawatch.domain.events import Turn
from clawatch.ports import Controller, Core
from clawatch.settings import Settings
from clawatch_plugins.claude_code.identity import HOOKS_SOURCE, KIND, OTLP_SOURCE, TRANSCRIPTS_SOURCE

_IN_TURN = frozenset({Turn.OPEN, Turn.WAITING})
_ONLY_TELL = frozenset({OTLP_SOURCE, TRANSCRIPTS_SOURCE})
_LIFTS = frozenset({CommandType.RESUME, CommandType.START})


class ControllerSettings(Settings):
    """Nothing to set."""


class HooksController:
    def kind(self, agent: Agent) -> ControlKind | None:
        """See ``ports.Controller``: native once its hooks have called; none when it only tells, or is only read."""
        if HOOKS_SOURCE in agent.sources:
            return ControlKind.NATIVE
        is_only_heard = agent.kind == KIND and bool(agent.sources) and _ONLY_TELL.issuperset(agent.sources)
        return ControlKind.NONE if is_only_heard else None

    def describe(self, agent: Agent) -> str:
        if HOOKS_SOURCE in agent.sources:
            return "native (while ClaWatch answers)"
        return "cannot be paused: connect its hooks"

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        """A pause takes effect at the next hook; between turns there is nothing to wait for."""
        if command.type in LASTING:
            return None if agent.turn in _IN_TURN else CommandState.CONFIRMED
        return CommandState.CONFIRMED if command.type in _LIFTS else CommandState.UNSUPPORTED


@asynccontextmanager
async def open_controller(settings: ControllerSettings, core: Core) -> AsyncIterator[Controller]:
    yield HooksController()
