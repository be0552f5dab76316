"""The census: how many agents there may be. Each takes memory for as long as it is known."""

from __future__ import annotations

from collections import Counter

from clawatch.domain.agents import MOST_AGENTS
from clawatch.fleet import Fleet


class Census:
    """Keeps room for agents on their way into the store, so that requests at the same time cannot overfill it."""

    def __init__(self, fleet: Fleet | None = None, most_each: int = MOST_AGENTS, most: int = MOST_AGENTS) -> None:
        self._fleet = Fleet() if fleet is None else fleet
        self._most_each = most_each
        self._most = most
        self._coming: dict[str, str] = {}
        """Agents on their way, and whose they will be."""
        self._coming_of: Counter[str] = Counter()

    def admit(self, agent_id: str, owner: str, admitted: list[str]) -> str | None:
        """Why there is no room for the agent; None when there is, or it is known. A new one joins ``admitted``."""
        if self._fleet.get(agent_id) is not None or agent_id in self._coming:
            return None
        if self._fleet.owned_by(owner) + self._coming_of[owner] >= self._most_each:
            return f"{owner!r} has {self._most_each:,} agents already; {_REMEDY} or raise limits.agents"
        if len(self._fleet) + len(self._coming) >= self._most:
            return f"there are {self._most:,} agents already, as many as ClaWatch watches; {_REMEDY}"
        self._coming[agent_id] = owner
        self._coming_of[owner] += 1
        admitted.append(agent_id)
        return None

    def settle(self, admitted: list[str]) -> None:
        """They are stored, or will not be."""
        for agent_id in admitted:
            owner = self._coming.pop(agent_id)
            self._coming_of[owner] -= 1
            if not self._coming_of[owner]:
                del self._coming_of[owner]


_REMEDY = "delete some with DELETE /api/agents/:id"
