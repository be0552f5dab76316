"""Idle spend: an agent spends money though nobody has asked it anything for hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.domain.time import HOUR
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.idle_spend.rule import IdleSpend

NAME = "idle_spend"


class IdleSpendSettings(RuleSettings):
    after: Duration = Field(default=12 * HOUR, gt=0)
    """Since a human last asked it something."""
    usd: float = Field(default=1.0, gt=0, le=1_000_000)
    """Spent since then."""


@asynccontextmanager
async def open_rule(settings: IdleSpendSettings, core: Core) -> AsyncIterator[IdleSpend]:
    yield IdleSpend(set(open_subjects(core.queries, NAME)))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.COST_SPIKE, settings=IdleSpendSettings, open=open_rule)]
