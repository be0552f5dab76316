"""Error spike: more errors, or failed tool calls, within a sliding window than are allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from clawatch.domain.alerts import AlertType
from clawatch.domain.time import MINUTE
from clawatch.domain.windows import MOST
from clawatch.hookspecs import hookimpl
from clawatch.ports import Core, RuleType
from clawatch.settings import Duration, RuleSettings, Settings
from clawatch_plugins.error_spike.rule import ErrorSpike


class ToolFailures(Settings):
    more_than: int = Field(default=10, ge=0, le=MOST)
    within: Duration = Field(default=MINUTE, gt=0)


class ErrorSpikeSettings(RuleSettings):
    more_than: int = Field(default=3, ge=0, le=MOST)
    """So many errors are still allowed."""
    within: Duration = Field(default=MINUTE, gt=0)
    tool_failures: ToolFailures = ToolFailures()


@asynccontextmanager
async def open_rule(settings: ErrorSpikeSettings, core: Core) -> AsyncIterator[ErrorSpike]:
    yield ErrorSpike()


@hookimpl
def register_rules() -> list[RuleType]:
    return [RuleType(name="error_spike", alert_type=AlertType.ERROR, settings=ErrorSpikeSettings, open=open_rule)]
