"""What the store knows of the past when the rule opens."""

from __future__ import annotations

from msgspec import Struct

from clawatch.domain.access import CORE
from clawatch.domain.alerts import Alert
from clawatch.domain.time import DAY, Millis
from clawatch.ports import QueriesPort
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.settings import Per
from clawatch_plugins.cost.spending import Spending

_WEEK: Millis = 7 * DAY
_TRIES = 3


class Past(Struct, frozen=True):
    head: int = 0
    """The journal's seq up to which ``agents`` is complete."""
    agents: dict[str, Spending] = {}
    alerts: tuple[Alert, ...] = ()
    """This rule's that are open."""


async def read_past(queries: QueriesPort, calendar: Calendar, rule: str, now: Millis) -> Past:
    """Sums from rollups. They belong to one seq: read again where something was written in between."""
    for _ in range(_TRIES):
        head = _head(queries)
        agents = await _read_spending(queries, calendar, now)
        if _head(queries) == head:
            break
    return Past(head, agents, tuple(queries.open_alerts(rule)))


def _head(queries: QueriesPort) -> int:
    return int(queries.cursor().rpartition(".")[2])


async def _read_spending(queries: QueriesPort, calendar: Calendar, now: Millis) -> dict[str, Spending]:
    month = calendar.period(Per.MONTH, now).start
    step = min(calendar.step(month), calendar.step(now))
    since = min(month, now - _WEEK)
    points = await queries.series(CORE, since - since % step, now - now % step + step, step, "agent", None)
    agents: dict[str, Spending] = {}
    for point in points:
        amount = point.measures.cost - point.measures.past_cost
        if amount:
            agents.setdefault(point.group, Spending()).add(point.at, amount, calendar)
    return agents
