"""Sessions end without a word when a terminal is closed: after half an hour of rest they count as stopped."""

from __future__ import annotations

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Status
from clawatch.domain.events import Activity, Event, EventType, Signal
from clawatch.domain.time import MINUTE, Millis
from clawatch.ports import Core
from clawatch_plugins.claude_code.identity import HOOKS_SOURCE, KIND, OTLP_SOURCE, TRANSCRIPTS_SOURCE

IDLE: Millis = 30 * MINUTE
EVERY: Millis = MINUTE
_RESTING = frozenset({Status.IDLE, Status.PENDING, Status.ERROR})
_SOURCES = frozenset({HOOKS_SOURCE, OTLP_SOURCE, TRANSCRIPTS_SOURCE})


async def stop_idle_sessions(core: Core) -> None:
    """A calendar job. What it says is our conclusion, no sign of life."""
    now = core.clock.now().wall
    events = [_stopped(agent, now) for agent in core.queries.agents(CORE) if _has_ended(agent, now)]
    if events:
        await core.ingest.accept(events, CORE)


def _has_ended(agent: Agent, now: Millis) -> bool:
    return (
        agent.kind == KIND
        and agent.status in _RESTING
        and _SOURCES.issuperset(agent.sources)
        and max(agent.last_seen, agent.created_at) <= now - IDLE  # one of history was never seen
    )


def _stopped(agent: Agent, now: Millis) -> Event:
    return Event(
        agent_id=agent.id,
        type=EventType.STATUS_CHANGE,
        at=now,
        session_id=agent.session_id,
        signal=Signal.API,
        data={"status": "stopped", "reason": "no report for 30 minutes"},
        activity=Activity.STOPPED,
        is_progress=False,
        is_inferred=True,
    )
