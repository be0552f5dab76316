"""The vocabulary of Claude Code's telemetry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from clawatch.apis.telemetry import LogRecord, MetricPoint, Record, SpanRecord
from clawatch.domain.events import Event, EventType, Signal, Turn
from clawatch.domain.time import Millis
from clawatch_plugins.claude_code.identity import KIND, OTLP_SOURCE, Who, identify
from clawatch_plugins.claude_code.logs import Working, map_log, work_of
from clawatch_plugins.claude_code.metrics import measures_of, usage
from clawatch_plugins.claude_code.sessions import Session, Sessions
from clawatch_plugins.claude_code.spans import map_span, outcomes

_SCOPE = "com.anthropic.claude_code"
Told = tuple[Record, Who]


class ClaudeCode:
    name = "claude_code"

    def __init__(self) -> None:
        self.sessions = Sessions()

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """See ``ports.Vocabulary``. The service's name can be overridden by its user, the scope cannot."""
        return scope == _SCOPE or scope.startswith(f"{_SCOPE}.") or resource.get("service.name") == KIND

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """See ``ports.Vocabulary``."""
        told: list[Told] = []
        for record in records:
            yield None
            who = identify(record.resource, record.attributes)
            if who is not None:
                told.append((_dated(record, now), who))
        yield from self._openings(told)
        spoken: set[tuple[str, str | None]] = set()
        for event in self._events(told):
            if event is not None:
                spoken.add((event.agent_id, event.session_id))
                event = self._without_guess(event)
            yield event
        yield from _signs_of_life(told, spoken)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        for event in events:
            request = work_of(event)
            if request is not None:
                self.sessions.working.add(request)

    def _events(self, told: Sequence[Told]) -> Iterator[Event | None]:
        points: list[tuple[MetricPoint, Who]] = []
        worked = outcomes(record for record, _ in told if isinstance(record, SpanRecord))
        working = Working(self.sessions.working)
        for record, who in told:
            if isinstance(record, LogRecord):
                yield map_log(record, who, working)
            elif isinstance(record, SpanRecord):
                yield map_span(record, who, worked)
            elif measures_of(record):
                points.append((record, who))
                yield None
        yield from usage(points)

    def _openings(self, told: Sequence[Told]) -> list[Event]:
        """For each session: it works in turns, and rests until a prompt says otherwise.

        Told with every request, since nobody knows whether the last one was taken; by its id it counts once.
        """
        first: dict[Session, tuple[Millis, Record, Who]] = {}
        for record, who in told:
            at = record.at if isinstance(record, LogRecord) else record.started or record.at
            known = first.get(who.session)
            if known is None or at < known[0]:
                first[who.session] = (at, record, who)
        return [
            _opening(at, record, who)
            for session, (at, record, who) in first.items()
            if session not in self.sessions.hooked
        ]

    def _without_guess(self, event: Event) -> Event:
        if event.turn is None or (event.agent_id, event.session_id or "") not in self.sessions.hooked:
            return event
        return replace(event, turn=None)


def _dated(record: Record, now: Millis) -> Record:
    return record if record.at else replace(record, at=now)


def _opening(at: Millis, record: Record, who: Who) -> Event:
    return Event(
        agent_id=who.agent_id,
        type=EventType.HEARTBEAT,
        at=at,
        id=f"session:{who.session_id}",
        session_id=who.session_id,
        signal=_signal(record),
        source=OTLP_SOURCE,
        facts=who.facts,
        turn=Turn.CLOSED,
        is_progress=False,
        is_hidden=True,
    )


def _signs_of_life(told: Sequence[Told], spoken: set[tuple[str, str | None]]) -> list[Event]:
    """One for each session that said nothing else: it is alive, which is no progress."""
    newest: dict[Session, Told] = {}
    for record, who in told:
        key = who.session
        if key not in spoken and (key not in newest or record.at >= newest[key][0].at):
            newest[key] = (record, who)
    return [_sign_of_life(record, who) for record, who in newest.values()]


def _sign_of_life(record: Record, who: Who) -> Event:
    signal = _signal(record)
    return Event(
        agent_id=who.agent_id,
        type=EventType.HEARTBEAT,
        at=record.at,
        id=f"alive:{signal}:{who.session_id}:{record.at}",
        session_id=who.session_id,
        signal=signal,
        source=OTLP_SOURCE,
        facts=who.facts,
        is_progress=False,
        is_hidden=True,
    )


def _signal(record: Record) -> Signal:
    match record:
        case LogRecord():
            return Signal.LOG
        case SpanRecord():
            return Signal.SPAN
        case MetricPoint():
            return Signal.METRIC
