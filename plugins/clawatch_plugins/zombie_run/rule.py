"""The rule: a deadline for each running run, moved by every word of it; a shorter one while its agent is idle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, Origin
from clawatch.domain.journal import Entry, RunChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.words import one_line, short_name, write_out
from clawatch.ports import Rule

PER_AGENT = 200
_RESTING = frozenset({Status.IDLE, Status.STOPPED, Status.PENDING})


class Allowed(Protocol):
    @property
    def after(self) -> Millis: ...
    @property
    def when_idle(self) -> Millis: ...


class Watched:
    """One run. ``heard_at`` and ``wake_at`` are on the monotonic clock."""

    __slots__ = ("heard_at", "is_told", "run", "wake_at")

    def __init__(self, run: Run, heard_at: Millis) -> None:
        self.run = run
        self.heard_at = heard_at
        self.is_told = False
        self.wake_at: Millis | None = None


class ZombieRun(Rule):
    def __init__(self, running: Iterable[Run] = (), open_subjects: dict[str, set[str]] | None = None) -> None:
        self._before = list(running)
        """Those that ran when the daemon started."""
        self._open_subjects = open_subjects or {}
        """Of alerts that were open then."""
        self._agents: dict[str, OrderedDict[str, Watched]] = {}
        self._rests_since: dict[str, Millis] = {}

    def began(self, now: Moment, downtime: Downtime) -> None:
        for run in self._before:
            heard = now.mono - max(0, now.wall - run.updated_at) + downtime.since(run.updated_at)
            self._runs(run.agent_id)[short_name(run.id)] = Watched(run, heard)

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        runs = self._runs(agent.id)
        for watched in runs.values():
            watched.wake_at = now.mono
        for subject in runs.keys() | self._open_subjects.pop(agent.id, set()):
            yield Wake(mono=now.mono, agent_id=agent.id, subject=subject)

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        if isinstance(entry.body, RunChanged):
            heard_at = now.mono - max(0, now.wall - entry.at)
            return list(self._hear(entry.body.run, heard_at, agent, settings))
        runs = self._agents.get(agent.id)
        if not runs or not isinstance(entry.body, Event) or entry.body.origin is not Origin.LIVE:
            return ()
        return list(self._hear_agent(runs, agent, settings, now))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        runs = self._agents.get(agent.id)
        watched = runs.get(wake.subject) if runs else None
        if watched is None:
            return [Verdict(agent_id=agent.id, severity=None, subject=wake.subject)]
        if wake.mono != watched.wake_at or watched.is_told:
            return ()
        watched.wake_at = None
        if now.mono < self._deadline(watched, agent, settings):
            return list(self._reschedule(watched, agent, settings))
        watched.is_told = True
        return [_zombie(watched.run, agent, now.mono - watched.heard_at)]

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._rests_since.pop(agent_id, None)

    def _hear(self, run: Run, heard_at: Millis, agent: Agent, settings: Allowed) -> Iterator[Finding]:
        runs, subject = self._runs(run.agent_id), short_name(run.id)
        watched = runs.pop(subject, None) or Watched(run, heard_at)
        if watched.is_told:
            watched.is_told = False
            yield Verdict(agent_id=run.agent_id, severity=None, subject=subject)
        if run.status is not RunStatus.RUNNING:
            return
        watched.run, watched.heard_at = run, max(watched.heard_at, heard_at)
        runs[subject] = watched
        if len(runs) > PER_AGENT:
            runs.popitem(last=False)
        yield from self._reschedule(watched, agent, settings)

    def _hear_agent(
        self, runs: OrderedDict[str, Watched], agent: Agent, settings: Allowed, now: Moment
    ) -> Iterator[Finding]:
        """What an agent does counts for the run it works on, the newest; one that comes to rest works on none."""
        if agent.status in _RESTING:
            if agent.id not in self._rests_since:
                self._rests_since[agent.id] = now.mono
                for watched in runs.values():
                    yield from self._reschedule(watched, agent, settings)
            return
        self._rests_since.pop(agent.id, None)
        newest = next(reversed(runs.values()))
        newest.heard_at = now.mono
        if newest.is_told:
            newest.is_told = False
            yield Verdict(agent_id=agent.id, severity=None, subject=short_name(newest.run.id))
            yield from self._reschedule(newest, agent, settings)

    def _reschedule(self, watched: Watched, agent: Agent, settings: Allowed) -> Iterator[Wake]:
        """Ask for a wake unless one is asked for that is early enough."""
        deadline = self._deadline(watched, agent, settings)
        if not watched.is_told and (watched.wake_at is None or deadline < watched.wake_at):
            watched.wake_at = deadline
            yield Wake(mono=deadline, agent_id=agent.id, subject=short_name(watched.run.id))

    def _deadline(self, watched: Watched, agent: Agent, settings: Allowed) -> Millis:
        """The first moment at which nothing has been heard of it for longer than allowed."""
        deadline = watched.heard_at + settings.after
        rests_since = self._rests_since.get(agent.id)
        if rests_since is not None and agent.status in _RESTING:
            deadline = min(deadline, max(watched.heard_at, rests_since) + settings.when_idle)
        return deadline + 1

    def _runs(self, agent_id: str) -> OrderedDict[str, Watched]:
        return self._agents.setdefault(agent_id, OrderedDict())


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
