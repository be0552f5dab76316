"""Stuck: no sign of life for longer than allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.alerts import AlertType
from clawatch.domain.time import MINUTE
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.stuck.rule import Stuck


class StuckSettings(RuleSettings):
    after: Duration = 5 * MINUTE
    """Silence of exactly this long is still allowed."""


@asynccontextmanager
async def open_rule(settings: StuckSettings, core: Core) -> AsyncIterator[Stuck]:
    yield Stuck()


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name="stuck", alert_type=AlertType.STUCK, settings=StuckSettings, open=open_rule)]
