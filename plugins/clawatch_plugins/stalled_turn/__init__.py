"""Stalled turn: one session of an agent hangs in its turn while others go on, so that the agent looks alive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.domain.time import MINUTE
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.stalled_turn.rule import StalledTurn

NAME = "stalled_turn"


class StalledTurnSettings(RuleSettings):
    after: Duration = Field(default=10 * MINUTE, gt=0)
    """Without progress in an open turn."""
    in_tool: Duration = Field(default=30 * MINUTE, gt=0)
    """The same while a tool runs: builds and tests take their time."""


@asynccontextmanager
async def open_rule(settings: StalledTurnSettings, core: Core) -> AsyncIterator[StalledTurn]:
    yield StalledTurn(open_subjects(core.queries, NAME))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.STUCK, settings=StalledTurnSettings, open=open_rule)]
