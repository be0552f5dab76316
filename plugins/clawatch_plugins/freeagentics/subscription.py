"""What one connection wants to hear: for each type of event whose, and of alerts which."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from clawatch.apis.fanout import News
from clawatch.domain.access import Principal
from clawatch.ports import Invalid
from clawatch_plugins.freeagentics.asking import MOST_AGENTS, Filters
from clawatch_plugins.freeagentics.wire import PerformanceAlert, SystemAlert
from clawatch_plugins.freeagentics.words import PERFORMANCE_ALERT, severity_of

FLEET_ALERT = "performance_alert of the fleet"
"""The topic of alerts about the fleet as a whole: only for who may see all of it."""


@dataclass(slots=True)
class Choice:
    """``only`` None: all agents but ``without``."""

    only: set[str] | None
    without: set[str] = field(default_factory=set)
    severities: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()

    def add(self, agents: Collection[str]) -> None:
        if not agents:
            self.only = None
            self.without.clear()
        elif self.only is not None:
            self.only.update(agents)
        self.without.difference_update(agents)

    def drop(self, agents: Collection[str]) -> bool:
        """Whether anything is left."""
        if self.only is None:
            self.without.update(agents)
            return True
        self.only.difference_update(agents)
        return bool(self.only)

    def filter(self, filters: Filters) -> None:
        self.severities = frozenset(map(severity_of, filters.severity))
        self.components = frozenset(filters.components)

    def admits_agent(self, agent_id: str) -> bool:
        if not agent_id:
            return True
        return agent_id not in self.without and (self.only is None or agent_id in self.only)

    def admits_alert(self, alert: PerformanceAlert | SystemAlert) -> bool:
        if self.severities and alert.severity not in self.severities:
            return False
        return not self.components or not self.components.isdisjoint(alert.affected_components)


class Subscription:
    __slots__ = ("_choices", "_most_types", "_principal")

    def __init__(self, principal: Principal, most_types: int) -> None:
        self._principal = principal
        self._most_types = most_types
        self._choices: dict[str, Choice] = {}

    def __len__(self) -> int:
        """How many types of events there are in it."""
        return len(self._choices)

    def has_room_for(self, types: Collection[str]) -> bool:
        return len(self._choices.keys() | set(types)) <= self._most_types

    def add(self, types: Collection[str], agents: Collection[str], filters: Filters | None) -> None:
        """Beside what there is; no agents: all. Raises Invalid, and nothing is added, for too many agents."""
        chosen = {name: self._choices.get(name) or Choice(set(agents) or None) for name in types}
        for choice in chosen.values():
            _check(choice.only or set(), agents)
        self._choices |= chosen
        for choice in chosen.values():
            choice.add(agents)
            if filters is not None:
                choice.filter(filters)

    def drop(self, types: Collection[str], agents: Collection[str]) -> None:
        """These types, or of these types these agents; no types: all. Raises Invalid as ``add`` does."""
        chosen = {name: self._choices[name] for name in types or self._choices if name in self._choices}
        for choice in chosen.values():
            _check(choice.without, agents)
        for name, choice in chosen.items():
            if not agents or not choice.drop(agents):
                del self._choices[name]

    def choice(self, name: str) -> Choice | None:
        return self._choices.get(name)

    def wants(self, news: News) -> bool:
        """Whether this client is told; it has subscribed to it, and may see whom it is about."""
        topic = news.topic
        if topic is FLEET_ALERT:
            if not self._principal.sees_all:
                return False
            topic = PERFORMANCE_ALERT
        choice = self._choices.get(topic)
        if choice is None or not choice.admits_agent(news.agent_id):
            return False
        if news.agent_id and not self._principal.sees(news.agent_id):
            return False
        data = news.message.data
        return not isinstance(data, PerformanceAlert | SystemAlert) or choice.admits_alert(data)


def _check(known: set[str], agents: Collection[str]) -> None:
    if len(known.union(agents)) > MOST_AGENTS:
        raise Invalid(f"data.agents: at most {MOST_AGENTS} agents")
