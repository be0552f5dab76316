"""Takers: which agents can be given work, and whose turn it is."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from clawatch.commands import Commands
from clawatch.domain.access import matches
from clawatch.domain.agents import Agent, Status
from clawatch.domain.commands import ControlKind
from clawatch.domain.events import Turn
from clawatch.fleet import Fleet
from clawatch.work.book import Book

ENTRANT, JUDGE = "entrant", "judge"
"""Capabilities of those who compete, and of who scores them."""
PROVIDER = "provider"
"""The label that names an entrant's provider; its id does where there is none."""
_AWAY = frozenset({Status.STOPPED, Status.STUCK, Status.PAUSED})


class Takers:
    def __init__(self, fleet: Fleet, commands: Commands, book: Book) -> None:
        self._fleet = fleet
        self._commands = commands
        self._book = book

    def is_connected(self, agent: Agent) -> bool:
        """Whether it can be asked for something: it gives signs of life, and comes for commands."""
        return (
            agent.status not in _AWAY
            and agent.last_seen > 0
            and self._commands.controlling(agent).kind is ControlKind.COOPERATIVE
        )

    def is_free(self, agent: Agent) -> bool:
        return self.is_connected(agent) and not self._book.held_by(agent.id)

    def of_kind(self, kind: str, reach: Sequence[str]) -> list[Agent]:
        """All that there are, connected or not."""
        return [agent for agent in self._fleet if agent.kind == kind and matches(reach, agent.id)]

    def in_turn(self, agents: Iterable[Agent]) -> list[Agent]:
        """The connected ones: those at rest first, then the one that was used least recently."""
        connected = [agent for agent in agents if self.is_connected(agent)]
        return sorted(
            connected,
            key=lambda a: (bool(self._book.held_by(a.id)), a.turn is Turn.OPEN, self._book.used(a.id), a.id),
        )

    def free_of_kind(self, kind: str, reach: Sequence[str], taken: Container[str] = ()) -> Agent | None:
        """Whose turn it is among those that have nothing to do."""
        found = (agent for agent in self.in_turn(self.of_kind(kind, reach)) if agent.id not in taken)
        return next((agent for agent in found if not self._book.held_by(agent.id)), None)

    def able(self, capability: str, reach: Sequence[str]) -> list[Agent]:
        """The connected ones with this capability, in turn."""
        return self.in_turn(a for a in self._fleet if capability in a.capabilities and matches(reach, a.id))

    def entrants(self, reach: Sequence[str]) -> dict[str, Agent]:
        """One for each provider, by the provider's name."""
        chosen: dict[str, Agent] = {}
        for agent in self.able(ENTRANT, reach):
            chosen.setdefault(agent.labels.get(PROVIDER) or agent.id, agent)
        return dict(sorted(chosen.items()))
