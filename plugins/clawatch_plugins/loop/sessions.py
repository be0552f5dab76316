"""The sessions there are to watch, bounded: those that have been quiet longest are forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from msgspec.structs import replace

from clawatch.domain.events import Event, Phase, Tool
from clawatch.domain.time import Millis
from clawatch.domain.words import short_name
from clawatch_plugins.loop.detectors import Found
from clawatch_plugins.loop.history import History
from clawatch_plugins.loop.routines import Routines

PER_AGENT = 32
IN_ALL = 2_000
_STARTS = 64


class Session:
    """``subject`` names it in alerts."""

    __slots__ = ("asks_wake", "found", "heard_at", "history", "others", "run", "started", "subject")

    def __init__(self, subject: str, run: int) -> None:
        self.subject = subject
        self.run = run
        self.history = History()
        self.started: OrderedDict[str, Tool | None] = OrderedDict()
        """What the starts of the latest calls told, by call id; None where the call was counted at its start."""
        self.found: Found | None = None
        """What was last told of, while it goes on."""
        self.heard_at: Millis = 0
        """When a call last was part of it, on the monotonic clock."""
        self.others = 0
        """Calls since then that were not."""
        self.asks_wake = False

    def note_start(self, event: Event, tool: Tool | None) -> None:
        if event.call_id is not None:
            self.started[event.call_id] = tool
            if len(self.started) > _STARTS:
                self.started.popitem(last=False)

    def has_counted(self, event: Event) -> bool:
        """Whether the call was counted where it started, being refused there; notes it if it starts so now."""
        if event.call_id is None:
            return False
        if event.phase is Phase.START:
            self.note_start(event, None)
            return False
        return event.call_id in self.started and self.started[event.call_id] is None

    def complete(self, event: Event, tool: Tool) -> Tool:
        """The tool at the end of a call, with what only its start told."""
        start = self.started.get(event.call_id) if event.call_id is not None else None
        if start is None:
            return tool
        return replace(tool, args_hash=tool.args_hash or start.args_hash, args_size=tool.args_size or start.args_size)

    def begin_anew(self) -> None:
        """Nothing that came before counts."""
        self.history = History()
        self.found = None
        self.others = 0


class AgentCalls:
    __slots__ = ("last_task", "routines", "runs", "sessions")

    def __init__(self) -> None:
        self.sessions: OrderedDict[str, Session] = OrderedDict()
        self.routines = Routines()
        self.runs = 0
        """How many runs it has had: turns, sessions and tasks."""
        self.last_task = ""

    def begin_run(self, sessions: Iterable[Session]) -> None:
        self.runs += 1
        for session in sessions:
            session.run = self.runs


class Sessions:
    def __init__(self) -> None:
        self._agents: dict[str, AgentCalls] = {}
        self._by_use: OrderedDict[tuple[str, str], None] = OrderedDict()

    def agent(self, agent_id: str) -> AgentCalls:
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = AgentCalls()
        return agent

    def find(self, agent_id: str, session_id: str | None) -> Session | None:
        return self.named(agent_id, short_name(session_id or ""))

    def named(self, agent_id: str, subject: str) -> Session | None:
        agent = self._agents.get(agent_id)
        return None if agent is None else agent.sessions.get(subject)

    def firing(self, agent_id: str) -> list[Session]:
        agent = self._agents.get(agent_id)
        return [] if agent is None else [session for session in agent.sessions.values() if session.found is not None]

    def use(self, agent_id: str, session_id: str | None) -> Session:
        """The session, made if need be."""
        agent = self.agent(agent_id)
        subject = short_name(session_id or "")
        session = agent.sessions.get(subject)
        if session is None:
            agent.begin_run(())
            session = agent.sessions[subject] = Session(subject, agent.runs)
        agent.sessions.move_to_end(subject)
        self._by_use[agent_id, subject] = None
        self._by_use.move_to_end((agent_id, subject))
        self._bound(agent_id, agent)
        return session

    def forget(self, agent_id: str) -> None:
        agent = self._agents.pop(agent_id, None)
        for subject in agent.sessions if agent else ():
            self._by_use.pop((agent_id, subject), None)

    def _bound(self, agent_id: str, agent: AgentCalls) -> None:
        if len(agent.sessions) > PER_AGENT:
            subject, _ = agent.sessions.popitem(last=False)
            self._by_use.pop((agent_id, subject), None)
        if len(self._by_use) > IN_ALL:
            (owner, subject), _ = self._by_use.popitem(last=False)
            self._agents[owner].sessions.pop(subject, None)
