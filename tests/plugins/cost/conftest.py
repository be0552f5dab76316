"""A cost rule on a trial of its own, and the queries it opens with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clawatch_plugins.cost import open_rule
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.past import Past
from clawatch_plugins.cost.rule import Cost
from clawatch_plugins.cost.settings import CostSettings

from clawatch.domain.alerts import Alert, AlertState, AlertType
from clawatch.ports import Point
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore
from clawatch.testing.rules import Trial


@dataclass
class StoredQueries:
    """What the queries of a daemon say that has stored just what the trial wrote."""

    trial: Trial

    def cursor(self) -> str:
        return f"store.{self.trial.books.head}"

    async def series(self, who: Any, since: int, until: int, step: int, by: str, agent_id: str | None) -> list[Point]:
        store = MemoryStore()
        store._books = self.trial.books
        return await store.series(since, until, step, by, ("*",))

    def open_alerts(self, rule: str) -> list[Alert]:
        return [
            Alert(
                id=f"alert_{i}", fingerprint="", rule="cost", type=AlertType.COST_SPIKE, severity=verdict.severity,
                agent_id=agent_id, subject=subject, message="", evidence=verdict.evidence, state=AlertState.FIRING,
                started_at=0,
            )
            for i, ((agent_id, subject), verdict) in enumerate(self.trial.firing.items())
        ]


@dataclass
class StandInCore:
    queries: StoredQueries
    clock: FakeClock
    timezone: tzinfo


@pytest.fixture
def try_out() -> Callable[..., Trial]:
    """A trial of the rule with these limits."""

    def make(*limits: dict[str, Any], zone: tzinfo = UTC, **settings: Any) -> Trial:
        if limits:
            settings["limits"] = list(limits)
        parsed = CostSettings.model_validate(settings)
        return Trial(Cost(parsed, Calendar(zone), Past()), parsed)

    return make


@pytest.fixture
def restart() -> Callable[..., Any]:
    """Restart a trial's rule as the daemon does: opened on what is stored."""

    async def again(trial: Trial, downtime: int = 0, zone: str = "UTC", **changes: Any) -> None:
        if changes:
            trial.settings = CostSettings.model_validate(trial.settings.model_dump() | changes)
        trial.clock.advance(downtime)
        core = StandInCore(StoredQueries(trial), trial.clock, ZoneInfo(zone))
        async with open_rule(trial.settings, core) as rule:  # type: ignore[arg-type]
            trial.restart(rule)

    return again
