"""Agents as JSON, made once for each change: dashboards ask for all of them every few seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from clawatch.domain.agents import Agent
from clawatch.ports import Controlling, Core
from clawatch_plugins.clawatch.views import agent_view

KEPT = 20_000


class Shown:
    __slots__ = ("agent", "as_of", "controlling", "json")

    def __init__(self, agent: Agent, controlling: Controlling, as_of: int) -> None:
        self.agent = agent
        self.controlling = controlling
        self.as_of = as_of
        """How often commands had changed when it was last known to be right."""
        self.json = msgspec.Raw(msgspec.json.encode(agent_view(agent, controlling)))


class ShownAgents:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: OrderedDict[str, Shown] = OrderedDict()

    def json_of(self, agent: Agent) -> msgspec.Raw:
        """The agent as ``AgentView``. A value never changes, so the same one looks the same."""
        return self.json_of_all((agent,))[0]

    def json_of_all(self, agents: Iterable[Agent]) -> list[msgspec.Raw]:
        """A look at each of thousands, a dozen times a minute: what has not changed costs two comparisons."""
        as_of, kept = self._core.queries.commands_changed, self._kept
        shown = []
        for agent in agents:
            known = kept.get(agent.id)
            if known is None or known.agent is not agent or known.as_of != as_of:
                known = self._look(agent, known, as_of)
            shown.append(known.json)
        return shown

    def _look(self, agent: Agent, known: Shown | None, as_of: int) -> Shown:
        controlling = self._core.queries.controlling(agent)
        if known is not None and known.agent is agent and known.controlling == controlling:
            known.as_of = as_of
            return known
        made = self._kept[agent.id] = Shown(agent, controlling, as_of)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made
