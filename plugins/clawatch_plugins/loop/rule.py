"""The rule: what each call makes of its session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from clawatch.domain.agents import Agent, Control
from clawatch.domain.events import Event, EventType, Origin, Tool, Turn
from clawatch.domain.journal import Entry, Fill
from clawatch.domain.time import MINUTE, Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.ports import Rule
from clawatch_plugins.loop.calls import Call, call_of, failure_of, is_call
from clawatch_plugins.loop.detectors import Found, detect, same_error
from clawatch_plugins.loop.routines import QUIET
from clawatch_plugins.loop.sessions import Session, Sessions
from clawatch_plugins.loop.settings import LoopSettings
from clawatch_plugins.loop.verdicts import EVERY_RUN, over, routine_verdict, session_verdict

OTHERS = 20
"""A loop is over after so many calls that are no part of it."""
OVER_AFTER: Millis = 10 * MINUTE
_PROMPTS = frozenset({EventType.MESSAGE, EventType.RUN, EventType.STATUS_CHANGE})
"""What opens a turn; other events may show that one is open."""
_BEGUN = frozenset({None, "pending", "running"})
_STEP = "inference"
"""A kind of run that is one step of another."""


class Loop(Rule):
    def __init__(self, open_subjects: dict[str, set[str]] | None = None) -> None:
        self._sessions = Sessions()
        self._open_subjects = open_subjects or {}
        """Of alerts that were open at the start."""

    def observe(self, entry: Entry, agent: Agent, settings: LoopSettings, now: Moment) -> Iterable[Finding]:
        match entry.body:
            case Event(origin=Origin.HISTORY) | Fill(event=Event(origin=Origin.HISTORY)):
                return ()
            case Event() as event:
                return list(self._hear(entry.seq, event, agent, settings, now))
            case Fill(of=seq, event=Event(tool=Tool() as tool) as event):
                return list(self._complete(seq, event, tool, settings, now))
        return ()

    def due(self, wake: Wake, agent: Agent, settings: LoopSettings, now: Moment) -> Iterable[Finding]:
        if wake.subject == EVERY_RUN:
            return list(self._review_routines(agent, now))
        return list(self._review(agent, wake.subject, now))

    def watch(self, agent: Agent, settings: LoopSettings, now: Moment) -> Iterable[Wake]:
        subjects = self._open_subjects.get(agent.id, set()) | {one.subject for one in self._sessions.firing(agent.id)}
        for subject in subjects:
            yield Wake(mono=now.mono, agent_id=agent.id, subject=subject)

    def forget(self, agent_id: str) -> None:
        self._sessions.forget(agent_id)
        self._open_subjects.pop(agent_id, None)

    # -- what is heard

    def _hear(
        self, seq: int, event: Event, agent: Agent, settings: LoopSettings, now: Moment
    ) -> Iterator[Finding]:
        if event.type is EventType.TOOL_CALL:
            yield from self._hear_tool(seq, event, agent, settings, now)
        elif event.type is EventType.ERROR and event.error:
            session = self._sessions.use(event.agent_id, event.session_id)
            failure = failure_of(event.error)
            session.history.add_error(failure)
            for found in same_error(session.history, failure, event.error, "", settings):
                yield from self._tell(session, found, event, now)
        elif event.turn is Turn.OPEN and event.type in _PROMPTS:
            yield from self._prompt(event)
        elif event.run is not None:
            self._begin_task(event)

    def _hear_tool(
        self, seq: int, event: Event, agent: Agent, settings: LoopSettings, now: Moment
    ) -> Iterator[Finding]:
        tool = event.tool
        if tool is None or any(fnmatchcase(tool.name, pattern) for pattern in settings.ignore):
            return
        session = self._sessions.use(event.agent_id, event.session_id)
        if not is_call(event):
            session.note_start(event, tool)
            return
        if _is_our_own_brake(tool, agent) or session.has_counted(event):
            return
        call = call_of(seq, session.complete(event, tool), event.error, session.run)
        yield from self._judge(session, call, event, settings, now)
        yield from self._judge_routine(call, event, now)

    def _judge(
        self, session: Session, call: Call, event: Event, settings: LoopSettings, now: Moment
    ) -> Iterator[Finding]:
        session.history.add(call)
        found = detect(session.history, call, event.error, settings)
        if found is not None:
            yield from self._tell(session, found, event, now)
        elif session.found is not None:
            session.others += 1
            if session.others >= OTHERS:
                yield from _end(session, event.agent_id)

    def _judge_routine(self, call: Call, event: Event, now: Moment) -> Iterator[Finding]:
        routines = self._sessions.agent(event.agent_id).routines
        routine = routines.add(call, _heard_at(event, now))
        if routine is not None:
            yield routine_verdict(event.agent_id, routine)
            yield Wake(mono=routines.heard_at + QUIET, agent_id=event.agent_id, subject=EVERY_RUN)
        elif routines.is_over(call.run):
            routines.end()
            yield over(event.agent_id, EVERY_RUN)

    def _complete(
        self, seq: int, event: Event, tool: Tool, settings: LoopSettings, now: Moment
    ) -> Iterator[Finding]:
        """A later report of a call tells more of it: it is compared by that from now on."""
        session = self._sessions.find(event.agent_id, event.session_id)
        if session is None:
            return
        if not is_call(event):
            session.note_start(event, tool)
            return
        old = session.history.find(seq)
        if old is None:
            return
        new = call_of(seq, session.complete(event, tool), event.error, old.run)
        if new == old:
            return
        session.history.replace(old, new)
        found = detect(session.history, new, event.error, settings)
        if found is not None:
            yield from self._tell(session, found, event, now)

    def _prompt(self, event: Event) -> Iterator[Finding]:
        """Somebody steers: what came before is no loop any more."""
        session = self._sessions.use(event.agent_id, event.session_id)
        self._sessions.agent(event.agent_id).begin_run([session])
        if session.found is not None:
            yield from _end(session, event.agent_id)
        session.begin_anew()

    def _begin_task(self, event: Event) -> None:
        """A task begins a run of its agent, or of the one session it is told of in. Its steps do not."""
        report = event.run
        assert report is not None
        if report.status not in _BEGUN or report.parent_run_id is not None or report.kind == _STEP:
            return
        agent = self._sessions.agent(event.agent_id)
        if report.run_id != agent.last_task:
            agent.last_task = report.run_id
            one = self._sessions.find(event.agent_id, event.session_id)
            agent.begin_run([one] if one else agent.sessions.values())

    # -- what is said

    def _tell(self, session: Session, found: Found, event: Event, now: Moment) -> Iterator[Finding]:
        """Said when it is new, when it gets worse, and each time it has doubled."""
        known = session.found
        heard_at = _heard_at(event, now)
        session.heard_at = heard_at if known is None else max(session.heard_at, heard_at)
        session.others = 0
        is_same = known is not None and (known.kind, known.tool) == (found.kind, found.tool)
        if known is None or found.rank > known.rank or (is_same and found.count >= 2 * known.count):
            session.found = found
            yield session_verdict(event, session.subject, found)
        if not session.asks_wake:
            session.asks_wake = True
            yield Wake(mono=session.heard_at + OVER_AFTER, agent_id=event.agent_id, subject=session.subject)

    def _review(self, agent: Agent, subject: str, now: Moment) -> Iterator[Finding]:
        session = self._sessions.named(agent.id, subject)
        if session is None:
            yield over(agent.id, subject)  # long forgotten
            return
        session.asks_wake = session.found is not None and now.mono < session.heard_at + OVER_AFTER
        if session.asks_wake:
            yield Wake(mono=session.heard_at + OVER_AFTER, agent_id=agent.id, subject=subject)
        elif session.found is not None:
            yield from _end(session, agent.id)
        else:
            yield from self._end_of_before(agent, subject)

    def _review_routines(self, agent: Agent, now: Moment) -> Iterator[Finding]:
        routines = self._sessions.agent(agent.id).routines
        if routines.telling is None:
            yield from self._end_of_before(agent, EVERY_RUN)
        elif now.mono < routines.heard_at + QUIET:
            yield Wake(mono=routines.heard_at + QUIET, agent_id=agent.id, subject=EVERY_RUN)
        else:
            routines.end()
            yield over(agent.id, EVERY_RUN)

    def _end_of_before(self, agent: Agent, subject: str) -> Iterator[Verdict]:
        """The last hour tells nothing of what was open at the start."""
        subjects = self._open_subjects.get(agent.id, set())
        if subject in subjects:
            subjects.discard(subject)
            yield over(agent.id, subject)


def _end(session: Session, agent_id: str) -> Iterator[Verdict]:
    session.begin_anew()
    yield over(agent_id, session.subject)


def _is_our_own_brake(tool: Tool, agent: Agent) -> bool:
    return tool.is_blocked and agent.control is not Control.RUN


def _heard_at(event: Event, now: Moment) -> Millis:
    return now.mono_at(event.received_at if event.origin is Origin.LIVE else event.at)
