"""Pause ignored: an agent that is to be paused or stopped goes on working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.domain.alerts import AlertType
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import RuleSettings
from clawatch_plugins.pause_ignored.rule import PauseIgnored


class PauseIgnoredSettings(RuleSettings):
    """What every rule takes, and no more."""


@asynccontextmanager
async def open_rule(settings: PauseIgnoredSettings, core: Core) -> AsyncIterator[PauseIgnored]:
    yield PauseIgnored()


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name="pause_ignored", alert_type=AlertType.ERROR, settings=PauseIgnoredSettings, open=open_rule)]
