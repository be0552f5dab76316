"""The mailbox: agents that fetch their commands from the ClaWatch API, or get them with the answers to events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, ControlKind
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Controller, Core
from clawatch.settings import Settings

SOURCE = "clawatch"
"""What events of our own API name as their source."""
WRAPPED = "wrap"
"""The kind that ``clawatch wrap`` gives its agents."""


class Mailbox:
    """Carries nothing by itself: a command waits until its agent comes for it."""

    def kind(self, agent: Agent) -> ControlKind | None:
        return ControlKind.COOPERATIVE if SOURCE in agent.sources or agent.kind == WRAPPED else None

    def describe(self, agent: Agent) -> str:
        return "wrap: stops every process" if agent.kind == WRAPPED else "cooperative (asked, and answers)"

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        return None


@asynccontextmanager
async def _open(settings: Settings, core: Core) -> AsyncIterator[Controller]:
    yield Mailbox()


@hookimpl
def register_controllers() -> list[Contribution[Controller]]:
    return [Contribution("mailbox", Settings, _open)]
