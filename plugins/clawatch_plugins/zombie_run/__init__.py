"""Zombie run: a run that is said to be running though nobody works on it any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.access import CORE
from clawatch.domain.alerts import AlertType
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import MINUTE
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, QueriesPort, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.zombie_run.rule import ZombieRun

NAME = "zombie_run"
_PAGE = 500
_PAGES = 10
"""Runs looked through at the start, newest first."""


class ZombieRunSettings(RuleSettings):
    after: Duration = Field(default=30 * MINUTE, gt=0)
    """A run that nothing is heard of for longer."""
    when_idle: Duration = Field(default=2 * MINUTE, gt=0)
    """The same while its agent says that it has nothing to do, or has stopped."""


@asynccontextmanager
async def open_rule(settings: ZombieRunSettings, core: Core) -> AsyncIterator[ZombieRun]:
    yield ZombieRun(await _running(core.queries), open_subjects(core.queries, NAME))


async def _running(queries: QueriesPort) -> list[Run]:
    found: list[Run] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await queries.runs(CORE, cursor, _PAGE)
        found += [run for run in page.items if run.status is RunStatus.RUNNING]
        cursor = page.next
        if cursor is None:
            break
    return found


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.STUCK, settings=ZombieRunSettings, open=open_rule)]
