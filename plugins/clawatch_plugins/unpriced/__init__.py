"""Unpriced usage: tokens of a model whose price nobody knows, so that its cost is missing from every sum."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.domain.time import DAY
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.unpriced.rule import Unpriced

NAME = "unpriced"


class UnpricedSettings(RuleSettings):
    tokens: int = Field(default=10_000, ge=1)
    """So many of one model since it was last priced fire."""
    quiet: Duration = Field(default=DAY, gt=0)
    """Without a further one for so long it is over."""


@asynccontextmanager
async def open_rule(settings: UnpricedSettings, core: Core) -> AsyncIterator[Unpriced]:
    yield Unpriced(open_subjects(core.queries, NAME))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.COST_SPIKE, settings=UnpricedSettings, open=open_rule)]
