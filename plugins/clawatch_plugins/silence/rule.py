"""The rule: after so many usual intervals without work, something that ran by a schedule runs no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import EPHEMERAL, Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.words import write_out
from clawatch.ports import Rule
from clawatch_plugins.silence.rhythm import Rhythm

_WORK = frozenset({EventType.TOOL_CALL, EventType.COST, EventType.MESSAGE, EventType.RUN})
_HELD = frozenset({Status.PAUSED, Status.STOPPED, Status.STUCK})


class Allowed(Protocol):
    @property
    def times(self) -> float: ...
    @property
    def at_least(self) -> Millis: ...


class Listened:
    """One agent. Times are on the monotonic clock."""

    __slots__ = ("is_told", "rhythm", "wake_at")

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm
        self.is_told = False
        self.wake_at: Millis | None = None


class Silence(Rule):
    def __init__(self, rhythms: dict[str, Rhythm] | None = None, told: Iterable[str] = ()) -> None:
        self._agents = {agent_id: Listened(rhythm) for agent_id, rhythm in (rhythms or {}).items()}
        for agent_id in told:
            self._listened(agent_id).is_told = True

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body
        if not isinstance(event, Event) or event.type not in _WORK or agent.kind in EPHEMERAL:
            return ()
        if event.origin is not Origin.LIVE or not event.is_progress:
            return ()
        return list(self._work(agent.id, now.mono - max(0, now.wall - event.received_at), settings))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        listened = self._agents.get(agent.id)
        if listened is None or wake.mono != listened.wake_at:
            return ()
        listened.wake_at = None
        deadline = _deadline(listened.rhythm, settings)
        if deadline is None or listened.is_told:
            return ()
        if now.mono < deadline:
            return list(self._reschedule(agent.id, listened, settings))
        if agent.status in _HELD:
            return ()  # its next work begins it anew
        listened.is_told = True
        return [_silent(agent.id, listened.rhythm, now.mono)]

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        listened = self._agents.get(agent.id)
        if listened is not None and not listened.is_told:
            listened.wake_at = None
            yield from self._reschedule(agent.id, listened, settings)

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)

    def _work(self, agent_id: str, at: Millis, settings: Allowed) -> Iterator[Finding]:
        listened = self._listened(agent_id)
        begins = listened.rhythm.work(at)
        if listened.is_told:
            listened.is_told = False
            yield Verdict(agent_id=agent_id, severity=None)
        if begins:
            yield from self._reschedule(agent_id, listened, settings)

    def _reschedule(self, agent_id: str, listened: Listened, settings: Allowed) -> Iterator[Wake]:
        """One wake is asked for at a time; it asks for the next when it comes too early."""
        if listened.wake_at is None and (deadline := _deadline(listened.rhythm, settings)) is not None:
            listened.wake_at = deadline
            yield Wake(mono=deadline, agent_id=agent_id)

    def _listened(self, agent_id: str) -> Listened:
        return self._agents.setdefault(agent_id, Listened(Rhythm()))


def _deadline(rhythm: Rhythm, settings: Allowed) -> Millis | None:
    """When its next burst is overdue; None while it has no rhythm."""
    interval = rhythm.interval
    if interval is None or interval < settings.at_least or rhythm.began_at is None or rhythm.worked_at is None:
        return None
    return max(rhythm.began_at + int(interval * settings.times), rhythm.worked_at + settings.at_least) + 1


def _silent(agent_id: str, rhythm: Rhythm, now: Millis) -> Verdict:
    interval = rhythm.interval or 0
    silent = now - (rhythm.worked_at or now)
    return Verdict(
        agent_id=agent_id,
        severity=Severity.WARNING,
        message=f"Silence — it usually works every {write_out(interval)}, and has not for {write_out(silent)}",
        evidence={"usualMs": interval, "silentMs": silent},
        may_brake=False,
    )
