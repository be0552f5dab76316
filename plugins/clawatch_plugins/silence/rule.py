"""The rule: after so many usual intervals without work, something that ran by a schedule runs no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import EPHEMERAL, Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.words import write_out
from clawatch.ports import Rule
from clawatch_plugins.silence.rhythm import Rhythm

_WORK = frozenset({EventType.TOOL_CALL, EventType.COST, EventType.MESSAGE, EventType.RUN})
_ASIDE = frozenset({Status.PAUSED, Status.STOPPED})
"""Silent on purpose."""


class Allowed(Protocol):
    @property
    def times(self) -> float: ...
    @property
    def at_least(self) -> Millis: ...


class Listened:
    """One agent."""

    __slots__ = ("alarm", "is_told", "rhythm")

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm
        """On the monotonic clock."""
        self.is_told = False
        self.alarm = Alarm()


class Silence(Rule):
    def __init__(self, rhythms: dict[str, Rhythm] | None = None, told: Iterable[str] = ()) -> None:
        self._agents = {agent_id: Listened(rhythm) for agent_id, rhythm in (rhythms or {}).items()}
        self._open = set(told)
        """Agents whose alert was open at the start."""
        self._downtime = Downtime(0)

    def began(self, now: Moment, downtime: Downtime) -> None:
        """What we were away for is not held against anybody."""
        self._downtime = downtime
        for listened in self._agents.values():
            worked_at = listened.rhythm.worked_at
            if worked_at is not None:
                listened.rhythm.shift(downtime.since(worked_at - now.mono + now.wall))

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        is_open = agent.id in self._open
        listened = self._listened(agent.id) if is_open else self._agents.get(agent.id)
        if listened is None:
            return ()
        listened.is_told = is_open
        return listened.alarm.set(now.mono, now, agent.id)

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        listened = self._agents.get(agent.id)
        if listened is not None and listened.is_told and agent.status in _ASIDE:
            listened.is_told = False
            return [Verdict(agent_id=agent.id, severity=None)]
        event = entry.body
        if not isinstance(event, Event) or event.type not in _WORK or agent.kind in EPHEMERAL:
            return ()
        if event.origin is not Origin.LIVE or not event.is_progress:
            return ()
        return list(self._work(agent, self._downtime.heard_at(event.received_at, now), settings, now))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        listened = self._agents.get(agent.id)
        if listened is None or not listened.alarm.rings(wake):
            return ()
        return list(_judge(listened, agent, settings, now))

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._open.discard(agent_id)

    def _work(self, agent: Agent, at: Millis, settings: Allowed, now: Moment) -> Iterator[Finding]:
        listened = self._listened(agent.id)
        begins = listened.rhythm.work(at)
        if listened.is_told:
            listened.is_told = False
            yield Verdict(agent_id=agent.id, severity=None)
        if begins and (deadline := _deadline(listened.rhythm, settings)) is not None:
            yield from listened.alarm.set(deadline, now, agent.id)

    def _listened(self, agent_id: str) -> Listened:
        listened = self._agents.get(agent_id)
        if listened is None:
            listened = self._agents[agent_id] = Listened(Rhythm())
        return listened


def _judge(listened: Listened, agent: Agent, settings: Allowed, now: Moment) -> Iterator[Finding]:
    """Told already, it stays so until its next work, or until it is put aside."""
    deadline = None if listened.is_told else _deadline(listened.rhythm, settings)
    if listened.is_told and agent.status in _ASIDE:
        listened.is_told = False
        yield Verdict(agent_id=agent.id, severity=None)
    elif deadline is not None and now.mono < deadline:
        yield from listened.alarm.set(deadline, now, agent.id)
    elif deadline is not None and agent.status is Status.STUCK:
        yield from listened.alarm.set(now.mono + settings.at_least, now, agent.id)  # that is told of already
    elif deadline is not None and agent.status not in _ASIDE:  # else its next work begins it anew
        listened.is_told = True
        yield _silent(agent.id, listened.rhythm, now.mono)


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
