"""Loop: the same calls over and over, counted by calls and not by time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch_plugins.loop.rule import Loop
from clawatch_plugins.loop.settings import LoopSettings

NAME = "loop"


@asynccontextmanager
async def open_rule(settings: LoopSettings, core: Core) -> AsyncIterator[Loop]:
    yield Loop(open_subjects(core.queries, NAME))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.LOOP_DETECTED, settings=LoopSettings, open=open_rule)]
