"""Cost: limits per period, for each agent or the fleet, and hours that cost far more than usual."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.alerts import AlertType
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.past import read_past
from clawatch_plugins.cost.rule import Cost
from clawatch_plugins.cost.settings import CostSettings

NAME = "cost"


@asynccontextmanager
async def open_rule(settings: CostSettings, core: Core) -> AsyncIterator[Cost]:
    """Sums reach back to the first of the month: what came before the last hour is read from the store."""
    calendar = Calendar(core.timezone)
    past = await read_past(core.queries, calendar, NAME, core.clock.now().wall)
    yield Cost(settings, calendar, past)


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.COST_SPIKE, settings=CostSettings, open=open_rule)]
