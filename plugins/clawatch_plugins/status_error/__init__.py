"""Status error: a word when a running agent says that it has failed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.access import CORE
from clawatch.domain.alerts import Alert, AlertState, AlertType
from clawatch.hookspecs import hookimpl
from clawatch.ports import AlertFilter, Core, QueriesPort, RuleType
from clawatch.settings import RuleSettings
from clawatch_plugins.status_error.rule import StatusError

_PAGE = 500


class StatusErrorSettings(RuleSettings):
    """What every rule takes, and no more."""


@asynccontextmanager
async def open_rule(settings: StatusErrorSettings, core: Core) -> AsyncIterator[StatusError]:
    yield StatusError(await _firing(core.queries))


async def _firing(queries: QueriesPort) -> list[Alert]:
    found: list[Alert] = []
    cursor: str | None = None
    while True:
        page = await queries.alerts(CORE, AlertFilter(state=AlertState.FIRING), cursor, _PAGE)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name="status_error", alert_type=AlertType.ERROR, settings=StatusErrorSettings, open=open_rule)]
