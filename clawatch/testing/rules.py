"""One rule at work, for tests: what it is shown, what it asks for and what it says, without a daemon."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from clawatch.domain.agents import Agent
from clawatch.domain.downtime import Downtime, Gap
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import Edge, Entry, Removed
from clawatch.domain.ledger import Posting
from clawatch.domain.time import HOUR, Millis, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict, Wake
from clawatch.ports import Rule
from clawatch.settings import RuleSettings
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory_books import MemoryBooks

AGENT = "agent"
FLEET_AGENT = Agent(id="", name="fleet", created_at=0)
"""What ``due`` is given for a wake that is not about one agent."""


class Trial:
    """Shows a rule a journal of its own, as ``ports.Rule`` promises, and keeps what it says.

    Events go through the same ledger as in a store: duplicates, fills and counted increments are the real ones.
    Time stands still until ``advance``; nothing here is asynchronous.
    """

    def __init__(
        self,
        rule: Rule,
        settings: RuleSettings,
        clock: FakeClock | None = None,
        overrides: Mapping[str, RuleSettings] | None = None,
    ) -> None:
        self.rule = rule
        self.settings = settings
        self.clock = clock or FakeClock()
        self.overrides = dict(overrides or {})
        """Other settings for single agents, by id."""
        self.books = MemoryBooks(100_000)
        self.firing: dict[tuple[str, str], Verdict] = {}
        """The verdicts that hold, by (agent id, subject)."""
        self.said: list[Verdict | Notice] = []
        """Everything said with effect, in order."""
        self.offset = 0
        """How far the rule has read."""
        self._wakes: list[tuple[Millis, int, Wake]] = []
        self._order = itertools.count()
        self._gaps: list[Gap] = []
        rule.began(self.now, Downtime(0))

    @property
    def now(self) -> Moment:
        return self.clock.now()

    @property
    def verdicts(self) -> list[Verdict]:
        return [one for one in self.said if isinstance(one, Verdict)]

    @property
    def notices(self) -> list[Notice]:
        return [one for one in self.said if isinstance(one, Notice)]

    @property
    def pending_wakes(self) -> int:
        return len(self._wakes)

    def agent(self, agent_id: str = AGENT) -> Agent:
        return self.books.agents[agent_id]

    def alert(self, agent_id: str = AGENT, subject: str = "") -> Verdict | None:
        """The verdict that holds for this subject, None when there is none."""
        return self.firing.get((agent_id, subject))

    # -- what happens

    def say(self, type: EventType | str, agent_id: str = AGENT, ago: Millis = 0, **fields: Any) -> list[Finding]:
        """An agent reports something that happened ``ago``; the rule is shown it at once."""
        self.write(type, agent_id, ago, **fields)
        return self.read()

    def edge(self, *edges: Edge) -> list[Finding]:
        """Something else happens; the rule is shown it at once."""
        posting = self._posting()
        for edge in edges:
            posting.edge(edge)
        self.books.take_over(posting)
        return self.read()

    def write(self, type: EventType | str, agent_id: str = AGENT, ago: Millis = 0, **fields: Any) -> None:
        """As ``say``, but the rule has not read it yet."""
        now = self.now.wall
        event = Event(agent_id=agent_id, type=EventType(type), at=now - ago, received_at=now, **fields)
        posting = self._posting()
        posting.event(event)
        self.books.take_over(posting)

    def read(self) -> list[Finding]:
        """Show the rule what it has not read; what it found."""
        found: list[Finding] = []
        for seq in range(self.offset + 1, self.books.head + 1):
            found += self._observe(self.books.journal[seq])
            self.offset = seq
        self._take(found)
        return found

    def advance(self, by: Millis) -> list[Finding]:
        """Let time pass, waking the rule when it asked to be; what it found."""
        until = self.now.mono + by
        found: list[Finding] = []
        while self._wakes and self._wakes[0][0] <= until:
            self.clock.advance(max(0, self._wakes[0][0] - self.now.mono))
            found += self._wake(heapq.heappop(self._wakes)[2])
        self.clock.advance(until - self.now.mono)
        return found

    def restart(self, rule: Rule, downtime: Millis = 0) -> None:
        """Put a fresh rule in the old one's place: it is warmed up without effects, then reads on."""
        self._gaps.append((self.now.wall, self.clock.advance(downtime).wall))
        self.clock = FakeClock(self.now.wall, 5_000_000)  # the monotonic clock begins anew
        self.rule = rule
        self._wakes.clear()
        rule.began(self.now, Downtime.until(self.now.wall, self._gaps))
        for seq in range(self.books.tail, self.offset + 1):
            if self.books.journal[seq].at >= self.now.wall - HOUR:
                self._schedule(self._observe(self.books.journal[seq]))
        for agent in list(self.books.agents.values()):
            self._schedule(rule.watch(agent, self._settings(agent), self.now))
        self.read()
        self.advance(0)

    # -- the rule

    def _posting(self) -> Posting:
        return Posting(self.books, self.books.head + 1, self.now.wall)

    def _observe(self, entry: Entry) -> list[Finding]:
        if isinstance(entry.body, Removed):
            self.rule.forget(entry.agent_id)
            self.firing = {key: verdict for key, verdict in self.firing.items() if key[0] != entry.agent_id}
            return []
        agent = self.books.agents.get(entry.agent_id)
        settings = None if agent is None else self._settings(agent)
        if agent is None or settings is None or not settings.enabled:
            return []
        return list(self.rule.observe(entry, agent, settings, self.now))

    def _wake(self, wake: Wake) -> list[Finding]:
        agent = self.books.agents.get(wake.agent_id) if wake.agent_id else FLEET_AGENT
        if agent is None:
            return []
        found = list(self.rule.due(wake, agent, self._settings(agent), self.now))
        self._take(found)
        return found

    def _settings(self, agent: Agent) -> RuleSettings:
        return self.overrides.get(agent.id, self.settings)

    def _take(self, found: Iterable[Finding]) -> None:
        for finding in found:
            if isinstance(finding, Wake):
                self._schedule([finding])
                continue
            self.said.append(finding)
            if isinstance(finding, Verdict):
                self._judge(finding)

    def _judge(self, verdict: Verdict) -> None:
        key = (verdict.agent_id, verdict.subject)
        if verdict.severity is None:
            self.firing.pop(key, None)
        else:
            self.firing[key] = verdict

    def _schedule(self, found: Iterable[Finding]) -> None:
        for wake in found:
            if isinstance(wake, Wake):
                heapq.heappush(self._wakes, (wake.mono, next(self._order), wake))


__all__ = ["AGENT", "Trial"]
