"""The fleet in memory: every agent as it stands after the last commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from clawatch.domain.agents import Agent, fold
from clawatch.domain.events import Event
from clawatch.domain.journal import Committed


class Fleet:
    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        self._agents: dict[str, Agent] = {agent.id: agent for agent in agents}
        self._owned = Counter(agent.owner for agent in self._agents.values())

    def apply(self, committed: Committed) -> None:
        """Take over what a commit made of the agents it touched."""
        for agent_id, agent in committed.agents.items():
            known = self._agents.get(agent_id)
            if agent is None:
                self._agents.pop(agent_id, None)
            else:
                self._agents[agent_id] = agent
            if known is None or agent is None or known.owner != agent.owner:
                self._count(known, agent)

    def _count(self, gone: Agent | None, come: Agent | None) -> None:
        if come is not None:
            self._owned[come.owner] += 1
        if gone is not None:
            self._owned[gone.owner] -= 1
            if not self._owned[gone.owner]:
                del self._owned[gone.owner]

    def hear(self, events: Iterable[Event]) -> None:
        """Signs of life that could not be stored: for our disk's sake nobody is to be taken for silent."""
        for event in events:
            agent = self._agents.get(event.agent_id)
            if agent is not None:
                heard = fold(agent, event)
                self._agents[agent.id] = replace(
                    agent, last_seen=heard.last_seen, last_progress=heard.last_progress
                )

    def get(self, agent_id: str) -> Agent | None:
        return self._agents.get(agent_id)

    def owned_by(self, owner: str) -> int:
        """How many agents this user's keys have brought."""
        return self._owned[owner]

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def __len__(self) -> int:
        return len(self._agents)

    def newest_first(self) -> list[Agent]:
        """By last sign of life; agents never seen come by their enrolment."""
        return sorted(self._agents.values(), key=lambda a: a.last_heartbeat or a.created_at, reverse=True)
