"""Signs of life on the monotonic clock, so that a jump of the wall clock neither makes silence nor hides it."""

from __future__ import annotations

from clawatch.domain.agents import Agent, counts_progress
from clawatch.domain.downtime import Downtime
from clawatch.domain.time import Millis, Moment

Seen = tuple[Millis, Millis]
"""(our wall time of a sign, the same on the monotonic clock)."""
_NEVER: Seen = (0, 0)
NONE = Downtime(0)


class Signs:
    """The times of one agent that silence counts from. Each is placed once, when it is first heard of."""

    __slots__ = ("_progress", "_seen", "_watched")

    def __init__(self) -> None:
        self._seen = self._progress = self._watched = _NEVER

    def take_in(self, agent: Agent, now: Moment, downtime: Downtime = NONE) -> None:
        """``downtime`` is counted out of the silence since."""
        self._seen = _place(self._seen, agent.last_seen, now, downtime)
        self._progress = _place(self._progress, agent.last_progress, now, downtime)
        self._watched = _place(self._watched, agent.watch_from, now, downtime)

    def newest(self, agent: Agent) -> Seen:
        """What this agent's silence counts from."""
        sign = self._progress if counts_progress(agent) else self._seen
        return sign if sign[1] >= self._watched[1] else self._watched


def _place(known: Seen, wall: Millis, now: Moment, downtime: Downtime) -> Seen:
    if wall == known[0]:
        return known
    return (wall, now.mono_at(wall) + downtime.since(wall))
