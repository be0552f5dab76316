"""Changes of status, as doors announce them: seen by comparing each agent with how it last stood."""

from __future__ import annotations

from msgspec import Struct

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Status
from clawatch.domain.journal import Entry
from clawatch.ports import NotFound, QueriesPort


class StatusChange(Struct, frozen=True, kw_only=True):
    """An agent whose status is another than before. ``old`` is None for a new agent, ``new`` for a removed one.

    Ours, not a door's word: two of our words may be one of theirs, and the change is announced all the same.
    """

    agent_id: str
    old: Status | None
    new: Status | None
    agent: Agent | None
    """As it stands now; None when it was removed."""


class Statuses:
    """How every agent stood when it was last looked at; begins with how all stand now."""

    def __init__(self, queries: QueriesPort) -> None:
        self._queries = queries
        self._known = {agent.id: agent.status for agent in queries.agents(CORE)}

    def change(self, entry: Entry) -> StatusChange | None:
        """What an entry has changed; None for nothing. Changes that came in between are told as one."""
        agent_id = entry.agent_id
        if not agent_id:
            return None
        agent = self._agent(agent_id)
        old, new = self._known.get(agent_id), agent.status if agent else None
        if old is new:
            return None
        if new is None:
            del self._known[agent_id]
        else:
            self._known[agent_id] = new
        return StatusChange(agent_id=agent_id, old=old, new=new, agent=agent)

    def _agent(self, agent_id: str) -> Agent | None:
        try:
            return self._queries.agent(agent_id, CORE)
        except NotFound:
            return None
