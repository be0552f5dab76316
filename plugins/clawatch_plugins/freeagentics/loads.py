"""How busy one agent is: what it did in the last minute, counted in slots, and the runs it has had."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawatch.domain.agents import Agent
from clawatch.domain.events import Event, EventType, Turn
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import MINUTE, SECOND, Millis
from clawatch_plugins.freeagentics.wire import AgentLoad
from clawatch_plugins.freeagentics.words import STATUS_OF

SLOT: Millis = 10 * SECOND
MOST_OPEN = 100
"""Runs of one agent under way at the same time that are followed."""
NEWEST_WEIGHS = 0.3


@dataclass(slots=True)
class Slot:
    inferences: int = 0
    """Calls of models, and runs that have ended."""
    calls: int = 0
    """All that can succeed or fail."""
    failures: int = 0
    busy: float = 0.0
    """Seconds of work that has ended."""
    answered: int = 0
    waited: float = 0.0
    """Seconds that those answered took."""


@dataclass(slots=True)
class Load:
    slots: dict[Millis, Slot] = field(default_factory=dict)
    """By when they begin."""
    open: dict[str, Millis] = field(default_factory=dict)
    """Runs under way, by when they began."""
    runs: int = 0
    last_run: Millis = 0
    """When it last worked at one; 0: never."""
    usual: float = 0.0
    """Seconds that its runs take, the newer the more they weigh; 0: not known."""

    def count_event(self, event: Event, now: Millis) -> None:
        slot = self._slot(now)
        took = (event.latency_ms or 0.0) / SECOND
        if event.type is EventType.COST and event.usage is not None:
            slot.inferences += 1
            slot.calls += 1
            slot.answered += took > 0
            slot.waited += took
        elif event.is_finished_call or event.is_error:
            slot.calls += 1
        slot.failures += event.is_error
        slot.busy += took

    def begin(self, run: Run) -> None:
        self.runs += 1
        self.touch(run)
        if len(self.open) < MOST_OPEN:
            self.open[run.id] = run.created_at

    def touch(self, run: Run) -> None:
        self.last_run = max(self.last_run, run.updated_at)

    def end(self, run: Run, now: Millis) -> None:
        self.open.pop(run.id, None)
        took = seconds_of(run)
        self.usual = took if not self.usual else self.usual + NEWEST_WEIGHS * (took - self.usual)
        slot = self._slot(now)
        slot.inferences += 1
        slot.calls += 1
        slot.failures += run.status is RunStatus.FAILED
        slot.answered += 1
        slot.waited += took
        slot.busy += took

    def shown(self, agent: Agent, now: Millis) -> AgentLoad:
        recent = [slot for start, slot in self.slots.items() if now - MINUTE < start <= now]
        calls = sum(slot.calls for slot in recent)
        answered = sum(slot.answered for slot in recent)
        waited = sum(slot.waited for slot in recent)
        failures = sum(slot.failures for slot in recent)
        busy = sum(slot.busy for slot in recent) + self._under_way(agent, now)
        return AgentLoad(
            status=STATUS_OF[agent.status],
            inference_rate=float(sum(slot.inferences for slot in recent)),
            avg_response_time=round(waited / answered, 3) if answered else 0.0,
            success_rate=round(1 - failures / calls, 3) if calls else 1.0,
            current_load=round(min(busy * SECOND / MINUTE, 1.0), 2),
        )

    def _under_way(self, agent: Agent, now: Millis) -> float:
        """Seconds of the last minute that went into what is not done yet."""
        began = [*self.open.values(), *([agent.turn_since] if agent.turn is Turn.OPEN else [])]
        return min(max(now - min(began), 0), MINUTE) / SECOND if began else 0.0

    def _slot(self, at: Millis) -> Slot:
        start = at - at % SLOT
        slot = self.slots.get(start)
        if slot is None:
            self.slots = {old: kept for old, kept in self.slots.items() if abs(old - start) < MINUTE}
            slot = self.slots[start] = Slot()
        return slot


def seconds_of(run: Run) -> float:
    """How long a run has taken so far."""
    return max(run.updated_at - run.created_at, 0) / SECOND
