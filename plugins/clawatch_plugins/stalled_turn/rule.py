"""The rule: the open turns of agents that have several sessions; where there is one, ``stuck`` watches it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, Origin, Phase, Turn
from clawatch.domain.journal import Entry
from clawatch.domain.time import DAY, Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.words import one_line, short_name, write_out
from clawatch.ports import Rule

PER_AGENT = 64
TOOLS = 32
"""Of one turn at the same time."""
GIVEN_UP: Millis = DAY
"""Nobody comes back to a turn that has been overdue for so long; its session has died without a word."""
_HELD = frozenset({Status.PAUSED, Status.STOPPED})


class Allowed(Protocol):
    @property
    def after(self) -> Millis: ...
    @property
    def in_tool(self) -> Millis: ...


class OpenTurn:
    """One session's."""

    __slots__ = ("is_told", "moved_at", "tools")

    def __init__(self, moved_at: Millis) -> None:
        self.moved_at = moved_at
        """When it last made progress, on the monotonic clock."""
        self.tools: dict[str, str] = {}
        """The names of those that run, by their calls."""
        self.is_told = False

    def use(self, event: Event) -> None:
        """Take in what the event says of a tool."""
        if event.tool is None:
            return
        call = event.call_id or event.tool.name
        if event.phase is not Phase.START:
            self.tools.pop(call, None)
        elif len(self.tools) < TOOLS:
            self.tools[call] = event.tool.name


class Turns:
    """One agent's open turns, by session; the one that moved last at the end."""

    __slots__ = ("alarm", "by_session", "moved_at")

    def __init__(self) -> None:
        self.alarm = Alarm()
        self.by_session: OrderedDict[str, OpenTurn] = OrderedDict()
        self.moved_at: Millis = 0
        """When any session last made progress."""


class StalledTurn(Rule):
    def __init__(self, open_subjects: dict[str, set[str]] | None = None) -> None:
        self._open_subjects = open_subjects or {}
        """Of alerts that were open at the start."""
        self._agents: dict[str, Turns] = {}
        self._downtime = Downtime(0)

    def began(self, now: Moment, downtime: Downtime) -> None:
        self._downtime = downtime

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """What is open from before the start is looked at again at once."""
        told = self._open_subjects.get(agent.id)
        if not told:
            return ()
        turns = self._agents.setdefault(agent.id, Turns())
        for subject in told & turns.by_session.keys():
            turns.by_session[subject].is_told = True
        return turns.alarm.set(now.mono, now, agent.id)

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body
        if not isinstance(event, Event) or event.origin is not Origin.LIVE or event.session_id is None:
            return ()
        if event.turn is None and (not event.is_progress or agent.id not in self._agents):
            return ()
        return list(self._hear(event, event.session_id, settings, now))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        turns = self._agents.get(agent.id)
        if turns is None or not turns.alarm.rings(wake):
            return ()
        return list(self._look(turns, agent, settings, now))

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._open_subjects.pop(agent_id, None)

    def _hear(self, event: Event, session_id: str, settings: Allowed, now: Moment) -> Iterator[Finding]:
        moved_at = self._downtime.heard_at(event.received_at, now)
        turns = self._agents.setdefault(event.agent_id, Turns())
        turns.moved_at = max(turns.moved_at, moved_at)
        subject = short_name(session_id)
        turn = turns.by_session.pop(subject, None)
        if turn is not None and turn.is_told:
            turn.is_told = False
            yield Verdict(agent_id=event.agent_id, severity=None, subject=subject)
        if event.turn in (Turn.CLOSED, Turn.WAITING) or (turn is None and event.turn is not Turn.OPEN):
            return
        turn = turn or OpenTurn(moved_at)
        turn.moved_at = max(turn.moved_at, moved_at)
        turn.use(event)
        turns.by_session[subject] = turn
        if len(turns.by_session) > PER_AGENT:
            yield from _drop(turns, event.agent_id, next(iter(turns.by_session)))
        yield from turns.alarm.set(_deadline(turn, settings), now, event.agent_id)

    def _look(self, turns: Turns, agent: Agent, settings: Allowed, now: Moment) -> Iterator[Finding]:
        """Tell what has changed, and look again later: what holds now may end without a word of the session."""
        for subject in self._open_subjects.pop(agent.id, set()) - turns.by_session.keys():
            yield Verdict(agent_id=agent.id, severity=None, subject=subject)
        next_at: list[Millis] = []
        for subject, turn in list(turns.by_session.items()):
            deadline = max(_deadline(turn, settings), now.mono_at(agent.watch_from) + settings.after + 1)
            if now.mono > deadline + GIVEN_UP:
                yield from _drop(turns, agent.id, subject)
                continue
            yield from _judge(turn, subject, agent, now, now.mono >= deadline and not _is_excused(turns, turn, agent))
            next_at.append(deadline if now.mono < deadline else now.mono + settings.after)
        if next_at:
            yield from turns.alarm.set(min(next_at), now, agent.id)


def _is_excused(turns: Turns, turn: OpenTurn, agent: Agent) -> bool:
    """Held on purpose; or nothing else moves either, which ``stuck`` tells of."""
    return agent.status in _HELD or turns.moved_at <= turn.moved_at


def _judge(turn: OpenTurn, subject: str, agent: Agent, now: Moment, is_stalled: bool) -> Iterator[Verdict]:
    if is_stalled and not turn.is_told:
        yield _stalled(agent.id, subject, turn, now.mono - turn.moved_at)
    elif turn.is_told and not is_stalled:
        yield Verdict(agent_id=agent.id, severity=None, subject=subject)
    turn.is_told = is_stalled


def _drop(turns: Turns, agent_id: str, subject: str) -> list[Verdict]:
    turn = turns.by_session.pop(subject)
    return [Verdict(agent_id=agent_id, severity=None, subject=subject)] if turn.is_told else []


def _deadline(turn: OpenTurn, settings: Allowed) -> Millis:
    """The first moment at which it has stood still for longer than allowed."""
    return turn.moved_at + (max(settings.after, settings.in_tool) if turn.tools else settings.after) + 1


def _stalled(agent_id: str, subject: str, turn: OpenTurn, silence: Millis) -> Verdict:
    tool = one_line(next(reversed(turn.tools.values()), ""), 40)
    doing = f", last seen running {tool}" if tool else ""
    return Verdict(
        agent_id=agent_id,
        severity=Severity.CRITICAL,
        subject=subject,
        message=f"Stalled turn — no progress in the session {subject} for {write_out(silence)}{doing}, "
        "while others of this agent go on",
        evidence={"session": subject, "silentMs": silence, "tool": tool},
        may_brake=False,
    )
