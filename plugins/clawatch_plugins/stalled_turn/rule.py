"""The rule: the open turns of agents that have several sessions; where there is one, ``stuck`` watches it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent, Status
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, Origin, Phase, Turn
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.words import one_line, short_name, write_out
from clawatch.ports import Rule

PER_AGENT = 64
_HELD = frozenset({Status.PAUSED, Status.STOPPED})


class Allowed(Protocol):
    @property
    def after(self) -> Millis: ...
    @property
    def in_tool(self) -> Millis: ...


class OpenTurn:
    """One session's. ``moved_at`` and ``wake_at`` are on the monotonic clock."""

    __slots__ = ("is_told", "moved_at", "tool", "wake_at")

    def __init__(self, moved_at: Millis) -> None:
        self.moved_at = moved_at
        """When it last made progress."""
        self.tool = ""
        """The tool that runs."""
        self.is_told = False
        self.wake_at: Millis | None = None


class Turns:
    """One agent's open turns, by session; the one that moved last at the end."""

    __slots__ = ("by_session", "moved_at")

    def __init__(self) -> None:
        self.by_session: OrderedDict[str, OpenTurn] = OrderedDict()
        self.moved_at: Millis = 0
        """When any session last made progress."""


class StalledTurn(Rule):
    def __init__(self, open_subjects: dict[str, set[str]] | None = None) -> None:
        self._open_subjects = open_subjects or {}
        """Of alerts that were open at the start."""
        self._agents: dict[str, Turns] = {}

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body
        if not isinstance(event, Event) or event.origin is not Origin.LIVE or event.session_id is None:
            return ()
        if event.turn is None and (not event.is_progress or agent.id not in self._agents):
            return ()
        moved_at = now.mono - max(0, now.wall - event.received_at)
        return list(self._hear(event, event.session_id, moved_at, settings))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        turns = self._agents.get(agent.id)
        turn = turns.by_session.get(wake.subject) if turns else None
        if turns is None or turn is None:
            return self._end_of_before(agent.id, wake.subject)
        if wake.mono != turn.wake_at or turn.is_told:
            return ()
        turn.wake_at = None
        if now.mono < _deadline(turn, settings):
            return list(_reschedule(agent.id, wake.subject, turn, settings))
        if agent.status in _HELD or turns.moved_at <= turn.moved_at:
            # Held on purpose; or nothing else moves either, which ``stuck`` tells of.
            turn.wake_at = now.mono + settings.after
            return [Wake(mono=turn.wake_at, agent_id=agent.id, subject=wake.subject)]
        turn.is_told = True
        return [_stalled(agent.id, wake.subject, turn, now.mono - turn.moved_at)]

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        for subject in self._open_subjects.get(agent.id, ()):
            yield Wake(mono=now.mono, agent_id=agent.id, subject=subject)

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._open_subjects.pop(agent_id, None)

    def _hear(self, event: Event, session_id: str, moved_at: Millis, settings: Allowed) -> Iterator[Finding]:
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
        if event.tool is not None:
            turn.tool = event.tool.name if event.phase is Phase.START else ""
        turns.by_session[subject] = turn
        if len(turns.by_session) > PER_AGENT:
            turns.by_session.popitem(last=False)
        yield from _reschedule(event.agent_id, subject, turn, settings)

    def _end_of_before(self, agent_id: str, subject: str) -> list[Verdict]:
        """The last hour tells nothing of a turn that was stalled before the start."""
        subjects = self._open_subjects.get(agent_id, set())
        if subject not in subjects:
            return []
        subjects.discard(subject)
        return [Verdict(agent_id=agent_id, severity=None, subject=subject)]


def _deadline(turn: OpenTurn, settings: Allowed) -> Millis:
    """The first moment at which it has stood still for longer than allowed."""
    return turn.moved_at + (max(settings.after, settings.in_tool) if turn.tool else settings.after) + 1


def _reschedule(agent_id: str, subject: str, turn: OpenTurn, settings: Allowed) -> Iterator[Wake]:
    """Ask for a wake unless one is asked for that is early enough."""
    deadline = _deadline(turn, settings)
    if turn.wake_at is None or deadline < turn.wake_at:
        turn.wake_at = deadline
        yield Wake(mono=deadline, agent_id=agent_id, subject=subject)


def _stalled(agent_id: str, subject: str, turn: OpenTurn, silence: Millis) -> Verdict:
    tool = one_line(turn.tool, 40)
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
