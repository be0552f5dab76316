"""Claims: usage that another signal tells better, where the two name no session in common. Public.

Of a session's signals the best one counts, and what a worse one had added is taken back. Metrics often know no
session; theirs goes to one that stands for the agent's metrics as a whole. A claim is a report of no usage in that
session, by a better rank: from then on, and for what came before, the metrics do not count.
"""

from __future__ import annotations

from clawatch.domain.events import Event, EventType, Signal, Usage
from clawatch.domain.time import Millis

METRICS_SESSION = "opentelemetry metrics"
"""The session of usage that was told by metrics without one."""


def claim(agent_id: str, at: Millis, rank: int, source: str, session_id: str = METRICS_SESSION) -> Event:
    """One for each agent is enough, and for all time: by its id it is stored once."""
    return Event(
        agent_id=agent_id,
        type=EventType.HEARTBEAT,
        at=at,
        id=f"claim:{rank}:{session_id}",
        session_id=session_id,
        signal=Signal.API,
        rank=rank,
        source=source,
        usage=Usage(),
        is_progress=False,
        is_hidden=True,
        is_inferred=True,
    )
