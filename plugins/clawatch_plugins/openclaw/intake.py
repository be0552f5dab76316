"""The way in for everything that is read of an OpenClaw: what is old, what is a new start, what is being undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from clawatch.apis.claims import claim
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.events import Activity, Event, EventType, Origin, Phase
from clawatch.domain.naming import agent_key
from clawatch.domain.time import MINUTE, Millis
from clawatch.ports import Core, NotFound, StoreUnavailable
from clawatch_plugins.openclaw.entries import RANK
from clawatch_plugins.openclaw.identity import SOURCE, UNATTRIBUTED
from clawatch_plugins.openclaw.turns import Turns

LIVE_WITHIN: Millis = MINUTE
"""What is read later than so long after it was written was written while nobody read."""
BATCH = 500
RETRY = 1.0
"""Seconds between two tries while the store takes nothing."""


class Intake:
    """``began``: when this OpenClaw was first read; what is older is history. ``since``: what is older is left out."""

    def __init__(self, core: Core, gateway: str, began: Millis, since: Millis) -> None:
        self._core = core
        self._unattributed = agent_key(gateway, UNATTRIBUTED)
        self._claimed: set[str] = set()
        self._began = began
        self._since = since
        self.turns = Turns()
        self.is_held: Callable[[Agent], bool] = lambda agent: False
        """Whether a paused agent's work is being undone."""
        self.taken = 0
        self.newest: Millis = 0

    async def take(self, events: Sequence[Event]) -> None:
        """Store them, waiting for as long as the store takes nothing; then they may be counted as read."""
        settled = [event for event in map(self._settle, events) if event is not None]
        settled += [*_standings(settled), *self.claims(settled)]
        for start in range(0, len(settled), BATCH):
            batch = settled[start:start + BATCH]
            await self._store(batch)
            self.taken += len(batch)

    def claims(self, events: Iterable[Event]) -> list[Event]:
        """What makes transcripts the one source of cost, once for each agent: OpenTelemetry tells the same calls.

        It tells some of no agent in particular, which then belong to agents that are counted here.
        """
        spent = {event.agent_id: event.at for event in events if event.usage is not None}
        if spent and self._agent(self._unattributed) is not None:
            spent[self._unattributed] = min(spent.values())
        new = {agent_id: at for agent_id, at in spent.items() if agent_id not in self._claimed}
        self._claimed.update(new)
        return [claim(agent_id, at, RANK, SOURCE) for agent_id, at in new.items()]

    def _agent(self, agent_id: str) -> Agent | None:
        try:
            return self._core.queries.agent(agent_id, CORE)
        except NotFound:
            return None

    async def _store(self, batch: Sequence[Event]) -> None:
        while True:
            try:
                receipt = await self._core.ingest.accept(batch, CORE)
            except StoreUnavailable as error:
                self._core.log.warning("openclaw.waits_for_store", why=str(error))
                await asyncio.sleep(RETRY)
                continue
            if receipt.rejected:
                self._core.log.warning("openclaw.rejected", rejected=len(receipt.rejected), why=receipt.rejected[0][1])
            return

    def _settle(self, event: Event) -> Event | None:
        now = self._core.clock.now().wall
        if event.at < self._began:
            event = replace(event, origin=Origin.HISTORY)
        elif event.at < now - LIVE_WITHIN:
            event = replace(event, origin=Origin.LATE)
        return self.order(event) if event.at >= self._since else None

    def order(self, event: Event) -> Event:
        """An event whose origin is known, in the light of its agent's other sessions and of what was asked of it."""
        self.newest = max(self.newest, min(event.at, self._core.clock.now().wall))
        agent = self._agent(event.agent_id)
        if agent is not None and event.facts is not None and agent.kind == event.facts.kind:
            event = replace(event, facts=None)  # telemetry may have named it since
        if event.origin is Origin.HISTORY:
            return event
        event = self.turns.settle(event)
        return event if agent is None or event.origin is not Origin.LIVE else self._as_ordered(event, agent)

    def _as_ordered(self, event: Event, agent: Agent) -> Event:
        """In the light of what the agent's owner has asked of it."""
        if agent.control is Control.STOPPED and agent.activity is Activity.STOPPED and _begins(event):
            return replace(event, activity=Activity.RUNNING)
        if agent.control is Control.PAUSED and self.is_held(agent):
            return replace(event, is_progress=False)
        return event


def _standings(events: Sequence[Event]) -> list[Event]:
    """Where agents stand after what came late: it is no sign of life, but a turn that ended meanwhile has ended."""
    last = {event.agent_id: event for event in events if event.turn is not None}
    return [
        Event(
            agent_id=event.agent_id, type=EventType.HEARTBEAT, at=event.at, session_id=event.session_id,
            signal=event.signal, source=event.source, turn=event.turn, is_progress=False, is_hidden=True,
            is_inferred=True,
        )
        for event in last.values() if event.origin is Origin.LATE
    ]


def _begins(event: Event) -> bool:
    """Whether somebody has set the agent to work anew."""
    if event.type is EventType.RUN:
        return event.phase is Phase.START
    return event.type is EventType.MESSAGE and event.data.get("role") != "assistant"
