"""Silence: an agent that works at regular intervals has missed one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.alerts import AlertType
from clawatch.domain.time import MINUTE
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings
from clawatch_plugins.silence.past import read_rhythms
from clawatch_plugins.silence.rule import Silence

NAME = "silence"


class SilenceSettings(RuleSettings):
    times: float = Field(default=1.5, gt=1, le=100)
    """The usual interval, so many times over, is still allowed."""
    at_least: Duration = Field(default=10 * MINUTE, ge=MINUTE)
    """Shorter intervals than this are nobody's rhythm, and the business of ``stuck``."""


@asynccontextmanager
async def open_rule(settings: SilenceSettings, core: Core) -> AsyncIterator[Silence]:
    rhythms = await read_rhythms(core.queries, core.clock.now())
    yield Silence(rhythms, set(open_subjects(core.queries, NAME)))


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name=NAME, alert_type=AlertType.STUCK, settings=SilenceSettings, open=open_rule)]
