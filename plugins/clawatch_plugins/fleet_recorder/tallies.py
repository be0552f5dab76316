"""What is counted at each tick: over the fleet, by kinds of agents and by hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from clawatch.domain.agents import Agent, Status
from clawatch.domain.journal import Measures
from clawatch.domain.recordings import TickLine
from clawatch.domain.recordings.lines import Number, Parted

METRICS = ("running", "stuck", "errors", "tool_calls", "tokens", "cost", "agents")
"""``running``, ``stuck`` and ``agents``: as it stands when the minute ends; the others: within it. Cost in USD."""
UNKNOWN, OTHERS = "unknown", "others"
MOST_PARTS = 60
"""Kinds, and hosts, that are counted each by itself; further ones are counted together."""
LONGEST_NAME = 64
"""Characters. Hosts and kinds are what agents say of themselves; a state has to stay below what may be recorded."""
_NANO = 10**9

_WHOLE, _SEGMENT, _REGION = range(3)
_Place = tuple[int, str]


class Names:
    """Kinds or hosts as a recording names them, bounded."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def of(self, text: str) -> str:
        name = text[:LONGEST_NAME] or UNKNOWN
        if name not in self._known and len(self._known) >= MOST_PARTS:
            name = OTHERS
        self._known[name] = None
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)


class Tally:
    """How many agents stand how, kept up change by change, and what they do within a minute."""

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        self._segments, self._regions = Names(), Names()
        self._standing: Counter[tuple[str, _Place]] = Counter()
        self._within: Counter[tuple[str, _Place]] = Counter()
        for agent in agents:
            self.move(None, agent)

    def segment_of(self, agent: Agent | None) -> str:
        return self._segments.of(agent.kind if agent else "")

    def region_of(self, agent: Agent | None) -> str:
        return self._regions.of(agent.host if agent else "")

    def move(self, before: Agent | None, after: Agent | None) -> None:
        """An agent has changed, come or gone."""
        for agent, change in ((before, -1), (after, 1)):
            if agent is not None:
                for metric in _stands_for(agent):
                    for place in self._places(agent):
                        self._standing[metric, place] += change

    def add(self, agent: Agent | None, measures: Measures) -> None:
        """What an agent did in this minute; None: one that is gone."""
        done = {
            "errors": measures.errors, "tool_calls": measures.tool_calls, "tokens": measures.tokens,
            "cost": measures.cost,
        }  # fmt: skip
        for metric, value in done.items():
            for place in self._places(agent):
                self._within[metric, place] += value

    def tick(self, number: int) -> TickLine:
        """How things stand, and what has been done since the tick before."""
        line = TickLine(
            tick=number, metrics={metric: self._value(metric, (_WHOLE, "")) for metric in METRICS},
            by_segment=self._parts(_SEGMENT, self._segments), by_region=self._parts(_REGION, self._regions),
        )
        self._within.clear()
        return line

    def _parts(self, where: int, names: Names) -> Parted:
        return {metric: {name: self._value(metric, (where, name)) for name in names} for metric in METRICS}

    def _value(self, metric: str, place: _Place) -> Number:
        key = metric, place
        if metric == "cost":
            return self._within[key] / _NANO
        return self._within[key] + self._standing[key]

    def _places(self, agent: Agent | None) -> tuple[_Place, ...]:
        return (_WHOLE, ""), (_SEGMENT, self.segment_of(agent)), (_REGION, self.region_of(agent))


def _stands_for(agent: Agent) -> Iterator[str]:
    yield "agents"
    if agent.status in (Status.RUNNING, Status.STUCK):
        yield agent.status.value
