"""Rhythms from what the store knows: intervals of hours would take days to learn anew after each start."""

from __future__ import annotations

from clawatch.domain.access import CORE
from clawatch.domain.agents import EPHEMERAL
from clawatch.domain.time import DAY, MINUTE, Millis, Moment
from clawatch.ports import QueriesPort
from clawatch_plugins.silence.rhythm import Rhythm

AGENTS = 200
"""Those heard of last; what more there are learn from now on."""
_BACK: Millis = 7 * DAY
_STEP: Millis = 5 * MINUTE


async def read_rhythms(queries: QueriesPort, now: Moment) -> dict[str, Rhythm]:
    """By agent, on the monotonic clock; an interval is known to five minutes."""
    since = now.wall - _BACK
    since -= since % _STEP
    agents = [agent.id for agent in queries.agents(CORE) if agent.kind not in EPHEMERAL][:AGENTS]
    found: dict[str, Rhythm] = {}
    for agent_id in agents:
        rhythm = Rhythm()
        for point in await queries.series(CORE, since, now.wall + 1, _STEP, "", agent_id):
            measures = point.measures
            if measures.tool_calls or measures.tokens or measures.messages:
                rhythm.work(point.at, min(point.at + _STEP, now.wall))
        rhythm.shift(now.mono - now.wall)
        found[agent_id] = rhythm
    return found
