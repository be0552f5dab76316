"""Rhythms from what the store knows: intervals of hours would take days to learn anew after each start."""

from __future__ import annotations

from clawatch.domain.access import CORE
from clawatch.domain.agents import EPHEMERAL
from clawatch.domain.time import DAY, MINUTE, Millis, Moment
from clawatch.ports import QueriesPort
from clawatch_plugins.silence.rhythm import Rhythm

AGENTS = 200
"""Those heard of last; what more there are learn from now on."""
_STEP: Millis = 5 * MINUTE
_LATELY: Millis = DAY
_BACK: Millis = 7 * DAY
_SELDOM = 72
"""Steps of the last day with work in them, a quarter of it. Who worked more has no rhythm of many hours to be found
further back, where all that it did would have to be read."""


async def read_rhythms(queries: QueriesPort, now: Moment) -> dict[str, Rhythm]:
    """By agent, on the monotonic clock; an interval is known to five minutes."""
    agents = [agent.id for agent in queries.agents(CORE) if agent.kind not in EPHEMERAL][:AGENTS]
    found: dict[str, Rhythm] = {}
    for agent_id in agents:
        steps = await _worked(queries, agent_id, now.wall - _LATELY, now.wall)
        if len(steps) <= _SELDOM:
            steps = await _worked(queries, agent_id, now.wall - _BACK, now.wall)
        rhythm = found[agent_id] = Rhythm()
        for at in steps:
            rhythm.work(at, min(at + _STEP, now.wall))
        rhythm.shift(now.mono - now.wall)
    return found


async def _worked(queries: QueriesPort, agent_id: str, since: Millis, now: Millis) -> list[Millis]:
    """The beginnings of the steps in which it did some work."""
    points = await queries.series(CORE, since - since % _STEP, now + 1, _STEP, "", agent_id)
    return [p.at for p in points if p.measures.tool_calls or p.measures.tokens or p.measures.messages]
