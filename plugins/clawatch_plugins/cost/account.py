"""An account: what one agent, or the fleet, has spent, and what has been said about it."""

from __future__ import annotations

from collections.abc import Iterator

from clawatch.domain.alerts import SEVERITY_RANK
from clawatch.domain.money import Nanos
from clawatch.domain.time import HOUR, Millis, Moment
from clawatch.domain.verdicts import Verdict
from clawatch_plugins.cost.spending import Spending
from clawatch_plugins.cost.told import Told

SESSION_OVER: Millis = HOUR
"""A session that spends nothing for so long counts as ended."""


class Account:
    __slots__ = ("agent_id", "sessions", "spending", "told", "total")

    def __init__(self, agent_id: str, spending: Spending | None = None, told: dict[str, Told] | None = None) -> None:
        self.agent_id = agent_id
        self.spending = spending or Spending()
        self.total: Nanos = 0
        self.told = told or {}
        """By subject; what is not in here has been said to be over."""
        self.sessions: dict[str, Millis] = {}
        """When those spent last that something is said of, on the monotonic clock."""

    def is_told(self, subject: str, told: Told) -> bool:
        known = self.told.get(subject)
        return not told.percent if known is None else known == told

    def end(self, subject: str) -> Verdict:
        del self.told[subject]
        return Verdict(agent_id=self.agent_id, severity=None, subject=subject)

    def end_before(self, subject: str, told: Told) -> Iterator[Verdict]:
        """End the episode that ``told`` does not belong to: its period is over, or it has become less severe."""
        known = self.told.get(subject)
        if known is None:
            return
        is_milder = SEVERITY_RANK[told.severity] < SEVERITY_RANK[known.severity]
        if not told.percent or told.start != known.start or is_milder:
            yield self.end(subject)

    def end_others(self, subjects: set[str]) -> Iterator[Verdict]:
        """What was said of limits that are gone, and of sessions that are over."""
        for subject in self.told.keys() - subjects:
            yield self.end(subject)

    def live_sessions(self, spends: str | None, now: Moment) -> set[str]:
        """The session that spends now, and those that something is said of, unless they are over."""
        known = {told.session for told in self.told.values() if told.session}
        if spends:
            known.add(spends)
            self.sessions[spends] = now.mono
        self.sessions = {one: self.sessions.get(one, now.mono) for one in known}
        return {one for one, spent_at in self.sessions.items() if now.mono < spent_at + SESSION_OVER}
