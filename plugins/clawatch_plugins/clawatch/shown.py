"""Agents as JSON, made once for each change: dashboards ask for all of them every few seconds."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from clawatch.domain.agents import Agent
from clawatch.ports import Controlling, Core
from clawatch_plugins.clawatch.views import agent_view

KEPT = 10_000


class ShownAgents:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: OrderedDict[str, tuple[Agent, Controlling, msgspec.Raw]] = OrderedDict()

    def json_of(self, agent: Agent) -> msgspec.Raw:
        """The agent as ``AgentView``. A value never changes, so the same one looks the same."""
        controlling = self._core.queries.controlling(agent)
        known = self._kept.get(agent.id)
        if known is not None and known[0] is agent and known[1] == controlling:
            return known[2]
        made = msgspec.Raw(msgspec.json.encode(agent_view(agent, controlling)))
        self._kept[agent.id] = (agent, controlling, made)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made
