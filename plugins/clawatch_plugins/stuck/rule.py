"""The rule: one deadline per agent, moved lazily as the agent gives signs of life."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from clawatch.domain.agents import Agent, counts_progress, is_watched_for_silence
from clawatch.domain.alerts import Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.journal import Entry
from clawatch.domain.time import MINUTE, Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.words import one_line, write_out
from clawatch.ports import Rule
from clawatch_plugins.stuck.signs import Seen, Signs

GRACE: Millis = MINUTE
"""After the daemon's start nobody is declared stuck for so long, or for ``after`` where that is shorter."""
REVIEW = "review"


class Allowed(Protocol):
    """The part of the settings that the rule looks at."""

    @property
    def after(self) -> Millis: ...


class Watched:
    """What is known of one agent."""

    __slots__ = ("fired_at", "signs", "wake_at")

    def __init__(self) -> None:
        self.signs = Signs()
        self.wake_at: Millis | None = None
        """The one wake that is asked for."""
        self.fired_at: Seen | None = None
        """The sign after which it fell silent, while it is declared stuck."""


class Stuck(Rule):
    def __init__(self) -> None:
        self._agents: dict[str, Watched] = {}
        self._started: Millis = 0
        self._downtime = Downtime(0)

    def began(self, now: Moment, downtime: Downtime) -> None:
        self._started = now.mono
        self._downtime = downtime

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """Known since before the start: silence goes on from its last sign, the downtime left out.

        One that is declared stuck stays so until it gives a sign.
        """
        watched = self._agents[agent.id] = Watched()
        watched.signs.take_in(agent, now, self._downtime)
        if agent.is_silent:
            watched.fired_at = watched.signs.newest(agent)
        review = Wake(mono=now.mono, agent_id=agent.id, subject=REVIEW)
        return [review, *self._reschedule(watched, agent, settings)]

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        watched = self._agents.get(agent.id)
        if watched is None:
            watched = self._agents[agent.id] = Watched()
        watched.signs.take_in(agent, now)
        if watched.fired_at is not None:
            return list(self._listen(watched, agent, settings))
        return self._reschedule(watched, agent, settings)

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        watched = self._agents.get(agent.id)
        if watched is None:
            return ()
        watched.signs.take_in(agent, now)
        if wake.subject == REVIEW:
            return _review(watched, agent, settings, now)
        if wake.mono != watched.wake_at:
            return ()  # another one has taken its place
        watched.wake_at = None
        return list(self._judge(watched, agent, settings, now))

    def _judge(self, watched: Watched, agent: Agent, settings: Allowed, now: Moment) -> Iterator[Finding]:
        if watched.fired_at is not None or not is_watched_for_silence(agent):
            return
        if now.mono < self._deadline(watched, agent, settings):
            yield from self._reschedule(watched, agent, settings)
            return
        watched.fired_at = watched.signs.newest(agent)
        yield _stuck(agent, settings.after, watched.fired_at[0])

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)

    def _listen(self, watched: Watched, agent: Agent, settings: Allowed) -> Iterator[Finding]:
        """Declared stuck: it stays so until there is a sign of life, or it is to be silent."""
        if is_watched_for_silence(agent) and watched.signs.newest(agent) == watched.fired_at:
            return
        watched.fired_at = None
        yield Verdict(agent_id=agent.id, severity=None)
        yield from self._reschedule(watched, agent, settings)

    def _reschedule(self, watched: Watched, agent: Agent, settings: Allowed) -> Sequence[Wake]:
        """Ask for a wake unless one is asked for that is early enough."""
        if watched.fired_at is not None or not is_watched_for_silence(agent):
            return ()
        deadline = self._deadline(watched, agent, settings)
        if watched.wake_at is not None and watched.wake_at <= deadline:
            return ()
        watched.wake_at = deadline
        return [Wake(mono=deadline, agent_id=agent.id)]

    def _deadline(self, watched: Watched, agent: Agent, settings: Allowed) -> Millis:
        """The first moment at which it has been silent for more than allowed."""
        silent_since = watched.signs.newest(agent)[1]
        return max(silent_since + settings.after + 1, self._started + min(settings.after, GRACE))


def _review(watched: Watched, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
    """An agent may have given a sign just before the daemon died: then its alert is still open."""
    is_silent = is_watched_for_silence(agent) and now.mono > watched.signs.newest(agent)[1] + settings.after
    if watched.fired_at is None and not is_silent:
        return [Verdict(agent_id=agent.id, severity=None)]
    return ()


def _stuck(agent: Agent, after: Millis, since: Millis) -> Verdict:
    lacking = "progress" if counts_progress(agent) else "heartbeat"
    doing = f", last seen running {one_line(agent.doing, 40)}" if agent.doing else ""
    return Verdict(
        agent_id=agent.id,
        severity=Severity.CRITICAL,
        message=f"Agent stuck — no {lacking} for {write_out(after)}{doing}",
        evidence={"lacking": lacking, "afterMs": after, "lastSignAt": since, "doing": one_line(agent.doing, 80)},
        may_brake=False,
        says_silent=True,
    )
