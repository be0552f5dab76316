"""What the gateway tells as it happens: runs, tool calls, messages, changes of sessions.

Transcripts are the record: where they can be read, the gateway adds what they tell late or never (that a run began or
ended, that a tool is running now) and nothing that would be counted. Without them, it is the record itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from msgspec.structs import replace

from clawatch.apis.transcripts import MAX_ERROR
from clawatch.domain.events import Event, EventType, Phase, RunReport, Signal, Tool, Turn
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.gateway import Gateway, Unreachable
from clawatch_plugins.openclaw.identity import GATEWAY_SOURCE, SOURCE, Where, agent_in, facts_of
from clawatch_plugins.openclaw.reading import Told, instant, table, whole, word
from clawatch_plugins.openclaw.rows import Rows
from clawatch_plugins.openclaw.tools import tool_ended

RUN_KIND = "run"
_RUN = {"end": "completed", "error": "failed"}


class Follower:
    """``take`` stores events; ``saw_work`` hears of every agent that is seen at work."""

    def __init__(
        self, name: str, gateway: Gateway, rows: Rows, transcripts: Transcripts, is_record: bool,
        take: Callable[[list[Event]], Awaitable[None]], saw_work: Callable[[str], None], now: Callable[[], Millis],
    ) -> None:
        self._name = name
        self._gateway = gateway
        self._rows = rows
        self._transcripts = transcripts
        self._is_record = is_record
        self._take = take
        self._saw_work = saw_work
        self._now = now

    async def run(self) -> None:
        """Follow the gateway's events, for ever."""
        while True:
            frame = await self._gateway.events.get()
            try:
                await self.hear(word(frame, "event"), table(frame, "payload"))
            except (Unreachable, TimeoutError):
                continue  # what it told is asked for again after connecting

    async def hear(self, name: str, payload: Told) -> None:
        if name == "sessions.changed":
            self._changed(payload)
            return
        tell = {"agent": self._agent, "session.tool": self._tool, "session.message": self._message,
                "chat": self._chat}.get(name)
        key = word(payload, "sessionKey", limit=500)
        if tell is None or not key:
            return
        if name == "session.message":
            self._rows.change(payload)
        where = await self._where(key, payload)
        if where is None:
            return
        events = list(tell(where, payload))
        if name != "session.message" and events:
            self._saw_work(where.agent_id)
        if events:
            await self._take(events)

    def _changed(self, payload: Told) -> None:
        row = self._rows.change(payload)
        if row is not None and row.is_active:
            self._saw_work(self._place(row.key, row.agent, row.session_id).agent_id)

    async def _where(self, key: str, payload: Told) -> Where | None:
        """None for a session that nobody knows: its transcript will tell."""
        session_id = word(payload, "sessionId") or await self._rows.session_of(key)
        row = self._rows.find(key)
        agent = word(payload, "agentId") or (row.agent if row else agent_in(key))
        return self._place(key, agent, session_id) if session_id else None

    def _place(self, key: str, agent: str, session_id: str) -> Where:
        return Where(gateway=self._name, agent=agent, session_id=session_id, session_key=key)

    # -- what is told

    def _agent(self, where: Where, payload: Told) -> Iterable[Event]:
        data = table(payload, "data")
        stream, phase, run_id = word(payload, "stream"), word(data, "phase"), word(payload, "runId")
        if stream == "tool":
            yield from self._tool(where, payload)
        elif stream == "lifecycle" and run_id:
            at = instant(payload, "ts") or self._now()
            if phase == "start":
                yield run_began(where, run_id, at)
            elif phase in _RUN:
                aborted = data.get("aborted") is True or word(data, "stopReason") == "aborted"
                status = "cancelled" if aborted else _RUN[phase]
                yield run_ended(where, run_id, at, status, word(data, "error", "errorMessage", limit=MAX_ERROR))

    def _tool(self, where: Where, payload: Told) -> Iterable[Event]:
        data = table(payload, "data")
        blank = replace(blank_of(where, instant(payload, "ts") or self._now()), type=EventType.TOOL_CALL)
        call_id, name, phase = word(data, "toolCallId"), word(data, "name") or "tool", word(data, "phase")
        if not call_id:
            return
        if phase == "start":
            args = data.get("args")
            args_hash = None if args is None else hash_value(args)
            self._transcripts.calls.begin(where.agent_id, where.session_id, call_id, "", name, args_hash, blank.at)
            yield replace(
                blank, call_id=call_id, phase=Phase.START, tool=Tool(name=name, args_hash=args_hash), turn=Turn.OPEN
            )
        elif phase == "result" and self._is_record:
            result = table(data, "result")
            ended = {**result, "toolCallId": call_id, "toolName": name, "isError": data.get("isError") is True}
            yield tool_ended(self._transcripts.calls, blank, ended)

    def _message(self, where: Where, payload: Told) -> Iterable[Event]:
        message = table(payload, "message")
        if not self._is_record or not message:
            return
        at = instant(message, "timestamp") or self._now()
        entry = word(payload, "messageId")
        blank = replace(blank_of(where, at), id=f"{where.session_id}:{entry}" if entry else None)
        for event in self._transcripts.map_message(where, message, replace(blank, signal=Signal.TRANSCRIPT)):
            yield replace(event, source=SOURCE) if event.usage is not None else event

    def _chat(self, where: Where, payload: Told) -> Iterable[Event]:
        """A model call that is tried again: transcripts tell of the last try only."""
        retry, run_id = table(payload, "retry"), word(payload, "runId")
        if word(payload, "state") != "status" or not retry:
            return
        attempt, most = whole(retry, "attempt"), whole(retry, "maxAttempts")
        reason = word(retry, "reason", limit=MAX_ERROR) or "the model call failed"
        yield replace(
            blank_of(where, self._now()),
            type=EventType.ERROR,
            id=f"retry:{run_id}:{attempt}:{whole(payload, 'seq')}",
            error=f"{reason}, tried again ({attempt} of {most})",
            turn=Turn.OPEN,
            data={"attempt": attempt, "maxAttempts": most},
        )


def blank_of(where: Where, at: Millis) -> Event:
    return Event(
        agent_id=where.agent_id, type=EventType.HEARTBEAT, at=at, session_id=where.session_id or None,
        signal=Signal.API, source=GATEWAY_SOURCE, facts=facts_of(where),
    )


def run_began(where: Where, run_id: str, at: Millis) -> Event:
    return _run(where, run_id, at, Phase.START, RunReport(run_id=run_id, kind=RUN_KIND, status="running"), None)


def run_ended(where: Where, run_id: str, at: Millis, status: str, error: str = "") -> Event:
    report = RunReport(run_id=run_id, kind=RUN_KIND, status=status, error=error or None)
    return _run(where, run_id, at, Phase.END, report, Turn.CLOSED)


def _run(where: Where, run_id: str, at: Millis, phase: Phase, report: RunReport, turn: Turn | None) -> Event:
    """A run is a part of its session: what a person said there has begun it already."""
    return replace(
        blank_of(where, at),
        type=EventType.RUN,
        call_id=f"run:{run_id}",
        phase=phase,
        run=replace(report, parent_run_id=where.session_id or None),
        turn=turn,
    )
