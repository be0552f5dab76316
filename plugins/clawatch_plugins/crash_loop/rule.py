"""The rule: a start after a life that ended badly is a restart; many of them within a time are a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Activity, Event, EventType, Origin
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.windows import Window
from clawatch.domain.words import count_of, one_line, write_out
from clawatch.ports import Rule

_SESSIONS = 16
"""An agent's latest that are known, lest those that run beside each other pass for one another's successors."""


class Allowed(Protocol):
    @property
    def restarts(self) -> int: ...
    @property
    def within(self) -> Millis: ...


class Life:
    """One agent's: how its latest process began, and whether it ended well."""

    __slots__ = ("alarm", "clear_at", "ended_well", "error", "is_running", "is_told", "restarts", "sessions")

    def __init__(self) -> None:
        self.sessions: deque[str] = deque(maxlen=_SESSIONS)
        self.is_running = False
        self.ended_well = True
        self.error = ""
        """Its last."""
        self.restarts = Window()
        self.is_told = False
        self.clear_at: Millis = 0
        """When there will have been no restart for the time, on the monotonic clock."""
        self.alarm = Alarm()


class CrashLoop(Rule):
    def __init__(self, told: Iterable[str] = ()) -> None:
        self._lives: dict[str, Life] = {}
        self._open = set(told)
        """Agents whose alert was open at the start."""

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body
        if not isinstance(event, Event) or event.origin is not Origin.LIVE:
            return ()
        if event.type is EventType.ERROR:
            self._fail(event)
        elif event.type is EventType.STATUS_CHANGE and event.activity is not None:
            return list(self._change(event, settings, now))
        return ()

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        life = self._lives.get(agent.id)
        if life is None or not life.alarm.rings(wake):
            return ()
        if now.mono < life.clear_at:
            return life.alarm.set(life.clear_at, now, agent.id)
        life.is_told = False
        return [Verdict(agent_id=agent.id, severity=None)]

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """What is open from before the start may be long over; what is not open has not been told."""
        is_open = agent.id in self._open
        life = self._lives.setdefault(agent.id, Life()) if is_open else self._lives.get(agent.id)
        if life is None:
            return ()
        life.is_told = is_open
        return life.alarm.set(life.clear_at, now, agent.id)

    def forget(self, agent_id: str) -> None:
        self._lives.pop(agent_id, None)
        self._open.discard(agent_id)

    def _fail(self, event: Event) -> None:
        life = self._lives.get(event.agent_id)
        if life is not None:
            life.error = event.error or ""
            life.ended_well = False

    def _change(self, event: Event, settings: Allowed, now: Moment) -> Iterator[Finding]:
        life = self._lives.setdefault(event.agent_id, Life())
        if event.activity is Activity.ERROR:
            life.ended_well = False
        elif event.activity is Activity.STOPPED:
            life.is_running = False
        elif event.activity is Activity.RUNNING and _is_start(life, event):
            crashed = life.is_running or not life.ended_well
            life.is_running, life.ended_well = True, True
            if event.session_id is not None:
                life.sessions.append(event.session_id)
            if crashed:
                yield from self._restarted(life, event, settings, now)

    def _restarted(self, life: Life, event: Event, settings: Allowed, now: Moment) -> Iterator[Finding]:
        if life.restarts.add(event.at, settings.restarts - 1, settings.within) is None:
            return
        was_over = now.mono >= life.clear_at
        life.clear_at = now.mono_at(event.received_at) + settings.within
        if was_over or not life.is_told:
            life.is_told = True
            yield _looping(event.agent_id, life, event.at, settings)
        yield from life.alarm.set(life.clear_at, now, event.agent_id)


def _is_start(life: Life, event: Event) -> bool:
    """A new process: it says that it runs after the one before had stopped, or in a session not seen before."""
    return not life.is_running or (event.session_id is not None and event.session_id not in life.sessions)


def _looping(agent_id: str, life: Life, at: Millis, settings: Allowed) -> Verdict:
    count = life.restarts.count(at, settings.within)
    said = one_line(life.error, 120)
    return Verdict(
        agent_id=agent_id,
        severity=Severity.CRITICAL,
        message=f"Crash loop — {count_of(count, 'restart')} within {write_out(settings.within)}"
        + (f", last: {said}" if said else ""),
        evidence={"restarts": count, "withinMs": settings.within, "lastError": said},
        may_brake=False,
    )
