"""What can be configured under ``rules.cost``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from pydantic import Field, model_validator

from clawatch.domain.money import Nanos, nanos
from clawatch.settings import RuleSettings, Settings


class Per(StrEnum):
    TOTAL = "total"
    """Since the agent became known."""
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    SESSION = "session"


CALENDAR = (Per.HOUR, Per.DAY, Per.MONTH)


class Scope(StrEnum):
    AGENT = "agent"
    """Each agent by itself."""
    FLEET = "fleet"
    """All agents together that the rule is enabled for; overrides for single agents do not change it."""


class Limit(Settings):
    per: Per
    usd: float = Field(gt=0, le=1e9, allow_inf_nan=False)
    scope: Scope = Scope.AGENT

    @model_validator(mode="after")
    def _sessions_have_one_agent(self) -> Limit:
        if self.per is Per.SESSION and self.scope is Scope.FLEET:
            raise ValueError("a limit per session is for agents; the fleet has no sessions")
        return self

    @property
    def nanos(self) -> Nanos:
        return max(1, nanos(self.usd))


class Spike(Settings):
    """An hour stands out when it costs more than ``usd`` and more than ``times`` the median of the past hours."""

    times: float = Field(default=5.0, gt=1, allow_inf_nan=False)
    usd: float = Field(default=1.0, ge=0, le=1e9, allow_inf_nan=False)


class CostSettings(RuleSettings):
    limits: tuple[Limit, ...] = (Limit(per=Per.TOTAL, usd=10.0),)
    spike: Spike | None = Spike()
    """null: do not look for hours that stand out."""


def named(limits: Sequence[Limit], scope: Scope) -> Iterator[tuple[str, Limit]]:
    """The limits of a scope with the subjects of their alerts: ``day``, and ``day 2`` for a second, higher one."""
    seen: dict[Per, int] = {}
    for limit in sorted((one for one in limits if one.scope is scope), key=lambda one: one.usd):
        seen[limit.per] = number = seen.get(limit.per, 0) + 1
        yield (str(limit.per) if number == 1 else f"{limit.per} {number}"), limit
