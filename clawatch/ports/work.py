"""Work that is given to agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.runs import Run
from clawatch.domain.work import Order, Record
from clawatch.ports.errors import Conflict, NotFound


class WorkPort(Protocol):
    """Work that people ask of agents. Each piece is a run, durable, and told on the bus with every step.

    Checks rights: raises Forbidden without the scope control. A principal that may not touch all agents asks its own
    agents only, and sees what it has asked for.
    """

    async def submit(self, order: Order, principal: Principal) -> Run:
        """Ask for work; an agent that can take it has it at once, else it waits, as pending.

        Raises NotFound where the agent, or any agent of the kind, is not known and the order may not wait for one;
        Conflict where none can take it now and it may not wait; TooMany when too much is under way already.
        """
        ...

    async def cancel(self, run_id: str, principal: Principal) -> Run:
        """End an open run and tell its agent so. Raises NotFound, or Conflict when it has come to its end."""
        ...

    async def compete(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None = None, about: str | None = None
    ) -> Run:
        """Begin a competition on this prompt, among all entrants or those of these providers.

        Raises Conflict when no entrant or no judge can take part. ``about``: the task it is for.
        """
        ...

    async def end_of(self, run: Run) -> Run:
        """Wait until it has come to its end."""
        ...

    def takers(self, principal: Principal, kind: str) -> list[Agent]:
        """Agents of this kind that could be given work, the next to be used first."""
        ...

    def entrants(self, principal: Principal) -> dict[str, Agent]:
        """Who would compete now, by provider."""
        ...

    def held_by(self, agent_id: str) -> list[Run]:
        """What the agent has been given and has not come to its end."""
        ...

    def record(self, agent_id: str) -> Record:
        """How it has done so far."""
        ...


class NoWork:
    """For a core without agents to ask."""

    async def submit(self, order: Order, principal: Principal) -> Run:
        raise Conflict("there is nobody to give work to")

    async def cancel(self, run_id: str, principal: Principal) -> Run:
        raise NotFound("Run not found")

    async def compete(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None = None, about: str | None = None
    ) -> Run:
        raise Conflict("there is nobody to compete")

    async def end_of(self, run: Run) -> Run:
        return run

    def takers(self, principal: Principal, kind: str) -> list[Agent]:
        return []

    def entrants(self, principal: Principal) -> dict[str, Agent]:
        return {}

    def held_by(self, agent_id: str) -> list[Run]:
        return []

    def record(self, agent_id: str) -> Record:
        return Record()
