"""Crash loop: an agent that is started again and again because it keeps dying."""

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
from clawatch_plugins.crash_loop.rule import CrashLoop

NAME = "crash_loop"


class CrashLoopSettings(RuleSettings):
    restarts: int = Field(default=3, ge=1, le=MOST)
    """So many within the time fire."""
    within: Duration = Field(default=5 * MINUTE, gt=0)


@asynccontextmanager
async def open_rule(settings: CrashLoopSettings, core: Core) -> AsyncIterator[CrashLoop]:
    yield CrashLoop(open_subjects(core.queries, NAME))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.STUCK, settings=CrashLoopSettings, open=open_rule)]
