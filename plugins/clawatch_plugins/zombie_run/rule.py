"""The rule: a deadline for each running run, moved by every word of it; a shorter one while its agent is idle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent, Control, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, Origin
from clawatch.domain.journal import ControlChanged, Entry, RunChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import DAY, Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.words import one_line, short_name, write_out
from clawatch.ports import Rule

PER_AGENT = 200
GIVEN_UP: Millis = 7 * DAY
"""Whoever worked on a run that has been overdue for so long will not say any more that it has ended."""
_RESTING = frozenset({Status.IDLE, Status.STOPPED, Status.PENDING})


class Allowed(Protocol):
    @property
    def after(self) -> Millis: ...
    @property
    def when_idle(self) -> Millis: ...


class Watched:
    """One run."""

    __slots__ = ("heard_at", "is_told", "run")

    def __init__(self, run: Run, heard_at: Millis) -> None:
        self.run = run
        self.heard_at = heard_at
        """On the monotonic clock."""
        self.is_told = False


class Runs:
    """One agent's, by subject; the one that was heard of last at the end."""

    __slots__ = ("alarm", "by_subject", "rests_since")

    def __init__(self) -> None:
        self.alarm = Alarm()
        self.by_subject: OrderedDict[str, Watched] = OrderedDict()
        self.rests_since: Millis | None = None
        """Since when its agent has nothing to do, on the monotonic clock."""


class ZombieRun(Rule):
    def __init__(self, running: Iterable[Run] = (), open_subjects: dict[str, set[str]] | None = None) -> None:
        self._before = sorted(running, key=lambda run: run.updated_at)
        """Those that ran when the daemon started."""
        self._open_subjects = open_subjects or {}
        """Of alerts that were open then."""
        self._agents: dict[str, Runs] = {}
        self._downtime = Downtime(0)

    def began(self, now: Moment, downtime: Downtime) -> None:
        self._downtime = downtime
        for run in self._before:
            runs = self._runs(run.agent_id)
            runs.by_subject[short_name(run.id)] = Watched(run, downtime.heard_at(run.updated_at, now))
            if len(runs.by_subject) > PER_AGENT:
                runs.by_subject.popitem(last=False)
        self._before.clear()

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """All that is known from before the start is looked at again at once."""
        told = self._open_subjects.get(agent.id, set())
        if not told and agent.id not in self._agents:
            return ()
        runs = self._runs(agent.id)
        for subject in told & runs.by_subject.keys():
            runs.by_subject[subject].is_told = True
        if agent.status in _RESTING:
            runs.rests_since = self._downtime.heard_at(max(agent.state_at, agent.watch_from), now)
        return runs.alarm.set(now.mono, now, agent.id)

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        if isinstance(entry.body, RunChanged):
            return list(self._hear(entry.body.run, self._downtime.heard_at(entry.at, now), settings, now))
        runs = self._agents.get(agent.id)
        if runs is None:
            return ()
        if isinstance(entry.body, ControlChanged) and entry.body.control is Control.RUN:
            _watch_afresh(runs, self._downtime.heard_at(entry.at, now))
        if not isinstance(entry.body, Event) or entry.body.origin is not Origin.LIVE:
            return ()
        heard_at = self._downtime.heard_at(entry.body.received_at, now)
        return list(_hear_agent(runs, agent, heard_at, settings, now))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        runs = self._agents.get(agent.id)
        if runs is None or not runs.alarm.rings(wake):
            return ()
        return list(self._look(runs, agent, settings, now))

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._open_subjects.pop(agent_id, None)

    def _hear(self, run: Run, heard_at: Millis, settings: Allowed, now: Moment) -> Iterator[Finding]:
        if run.status is not RunStatus.RUNNING and run.agent_id not in self._agents:
            return
        runs, subject = self._runs(run.agent_id), short_name(run.id)
        watched = runs.by_subject.pop(subject, None) or Watched(run, heard_at)
        if watched.is_told:
            watched.is_told = False
            yield _over(run.agent_id, subject)
        if run.status is not RunStatus.RUNNING:
            return
        watched.run, watched.heard_at = run, max(watched.heard_at, heard_at)
        runs.by_subject[subject] = watched
        if len(runs.by_subject) > PER_AGENT:
            yield from _drop(runs, run.agent_id, next(iter(runs.by_subject)))
        yield from runs.alarm.set(_deadline(runs, watched, settings), now, run.agent_id)

    def _look(self, runs: Runs, agent: Agent, settings: Allowed, now: Moment) -> Iterator[Finding]:
        """Tell what has changed, and look again later: what holds now may end without a word of the run."""
        if agent.status not in _RESTING:
            runs.rests_since = None
        elif runs.rests_since is None:
            runs.rests_since = now.mono
        for subject in self._open_subjects.pop(agent.id, set()) - runs.by_subject.keys():
            yield _over(agent.id, subject)
        next_at: list[Millis] = []
        for subject, watched in list(runs.by_subject.items()):
            deadline = _deadline(runs, watched, settings)
            if now.mono > deadline + GIVEN_UP:
                yield from _drop(runs, agent.id, subject)
                continue
            yield from _judge(watched, subject, agent, now, deadline)
            next_at.append(deadline if now.mono < deadline else now.mono + settings.after)
        if next_at:
            yield from runs.alarm.set(min(next_at), now, agent.id)

    def _runs(self, agent_id: str) -> Runs:
        return self._agents.setdefault(agent_id, Runs())


def _hear_agent(runs: Runs, agent: Agent, heard_at: Millis, settings: Allowed, now: Moment) -> Iterator[Finding]:
    """What an agent does counts for the run it works on, the newest; one that comes to rest works on none."""
    if agent.status in _RESTING:
        if runs.rests_since is None:
            runs.rests_since = heard_at
            for watched in runs.by_subject.values():
                yield from runs.alarm.set(_deadline(runs, watched, settings), now, agent.id)
        return
    runs.rests_since = None
    if not runs.by_subject:
        return
    subject, newest = next(reversed(runs.by_subject.items()))
    newest.heard_at = max(newest.heard_at, heard_at)
    if newest.is_told:
        newest.is_told = False
        yield _over(agent.id, subject)
        yield from runs.alarm.set(_deadline(runs, newest, settings), now, agent.id)


def _watch_afresh(runs: Runs, at: Millis) -> None:
    """Its agent was held, and is let go on."""
    runs.rests_since = None
    for watched in runs.by_subject.values():
        watched.heard_at = max(watched.heard_at, at)


def _judge(watched: Watched, subject: str, agent: Agent, now: Moment, deadline: Millis) -> Iterator[Verdict]:
    """A paused agent lets its runs rest on purpose."""
    is_zombie = now.mono >= deadline and agent.status is not Status.PAUSED
    if is_zombie and not watched.is_told:
        yield _zombie(watched.run, agent, now.mono - watched.heard_at)
    elif watched.is_told and not is_zombie:
        yield _over(agent.id, subject)
    watched.is_told = is_zombie


def _drop(runs: Runs, agent_id: str, subject: str) -> list[Verdict]:
    watched = runs.by_subject.pop(subject)
    return [_over(agent_id, subject)] if watched.is_told else []


def _deadline(runs: Runs, watched: Watched, settings: Allowed) -> Millis:
    """The first moment at which nothing has been heard of it for longer than allowed."""
    deadline = watched.heard_at + settings.after
    if runs.rests_since is not None:
        deadline = min(deadline, max(watched.heard_at, runs.rests_since) + settings.when_idle)
    return deadline + 1


def _over(agent_id: str, subject: str) -> Verdict:
    return Verdict(agent_id=agent_id, severity=None, subject=subject)


def _zombie(run: Run, agent: Agent, silence: Millis) -> Verdict:
    what = one_line(run.kind, 30) or "run"
    stage = f" at {one_line(run.stage, 40)}" if run.stage else ""
    state = f"; its agent is {agent.status}" if agent.status in _RESTING else ""
    return Verdict(
        agent_id=agent.id,
        severity=Severity.WARNING,
        subject=short_name(run.id),
        message=f"Zombie run — {what} {short_name(run.id)} is said to be running{stage}, "
        f"but nothing was heard of it for {write_out(silence)}{state}",
        evidence={
            "runId": short_name(run.id), "kind": one_line(run.kind, 80), "stage": one_line(run.stage, 80),
            "progress": run.progress, "silentMs": silence, "agentStatus": str(agent.status),
        },
        may_brake=False,
    )
