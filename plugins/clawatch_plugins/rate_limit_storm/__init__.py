"""Rate-limit storm: the provider refuses call after call, and the agent keeps asking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.domain.time import MINUTE
from clawatch.domain.windows import MOST
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.rate_limit_storm.rule import RateLimitStorm

NAME = "rate_limit_storm"


class RateLimitStormSettings(RuleSettings):
    refusals: int = Field(default=5, ge=1, le=MOST)
    """So many within the time, without a call between them that worked, fire."""
    within: Duration = Field(default=10 * MINUTE, gt=0)


@asynccontextmanager
async def open_rule(settings: RateLimitStormSettings, core: Core) -> AsyncIterator[RateLimitStorm]:
    yield RateLimitStorm(open_subjects(core.queries, NAME))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.ERROR, settings=RateLimitStormSettings, open=open_rule)]
