"""The rule: two sliding windows per agent, by the time at which things happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, Origin
from clawatch.domain.journal import Entry, Fill
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.windows import Window
from clawatch.domain.words import count_of, one_line, write_out
from clawatch.ports import Rule

ERRORS = ""
TOOLS = "tools"
"""The subjects: errors, and tool calls that failed."""


class Threshold(Protocol):
    @property
    def more_than(self) -> int: ...
    @property
    def within(self) -> Millis: ...


class Thresholds(Threshold, Protocol):
    """The part of the settings that the rule looks at."""

    @property
    def tool_failures(self) -> Threshold: ...


class Spike:
    """One agent's errors, or failed tool calls."""

    __slots__ = ("clear_at", "told", "window")

    def __init__(self) -> None:
        self.window = Window()
        self.clear_at: Millis | None = None
        """While it fires: when it has been below for a window's length, on the monotonic clock."""
        self.told = 0
        """The count last told of."""


class ErrorSpike(Rule):
    def __init__(self) -> None:
        self._spikes: dict[str, dict[str, Spike]] = {}

    def observe(self, entry: Entry, agent: Agent, settings: Thresholds, now: Moment) -> Iterable[Finding]:
        failure = _failure(entry)
        if failure is None:
            return ()
        if failure.is_failed_tool:
            return self._count(failure, TOOLS, settings.tool_failures, now)
        return self._count(failure, ERRORS, settings, now)

    def due(self, wake: Wake, agent: Agent, settings: Thresholds, now: Moment) -> Iterable[Finding]:
        spike = self._spikes.get(agent.id, {}).get(wake.subject)
        if spike is not None and spike.clear_at is not None:
            if now.mono < spike.clear_at:
                yield Wake(mono=spike.clear_at, agent_id=agent.id, subject=wake.subject)
                return
            spike.clear_at = None
            spike.told = 0
        yield Verdict(agent_id=agent.id, severity=None, subject=wake.subject)

    def watch(self, agent: Agent, settings: Thresholds, now: Moment) -> Iterable[Wake]:
        """What is open from before the start may be long below."""
        return [Wake(mono=now.mono, agent_id=agent.id, subject=subject) for subject in (ERRORS, TOOLS)]

    def forget(self, agent_id: str) -> None:
        self._spikes.pop(agent_id, None)

    def _count(self, failure: Event, subject: str, threshold: Threshold, now: Moment) -> Iterator[Finding]:
        spike = self._spikes.setdefault(failure.agent_id, {}).setdefault(subject, Spike())
        until = spike.window.add(failure.at, threshold.more_than, threshold.within)
        if until is None:
            return
        clear_at = now.mono + until - now.wall + threshold.within + 1
        is_new = spike.clear_at is None
        spike.clear_at = clear_at if spike.clear_at is None else max(spike.clear_at, clear_at)
        count = max(spike.window.count(failure.at, threshold.within), threshold.more_than + 1)
        if is_new or count >= 2 * spike.told:
            spike.told = count
            yield _spike(failure, subject, count, threshold)
        if is_new:
            yield Wake(mono=spike.clear_at, agent_id=failure.agent_id, subject=subject)


def _failure(entry: Entry) -> Event | None:
    """The error that an entry tells of for the first time."""
    event = entry.body
    if isinstance(event, Fill):
        if not any(one.measures.errors > 0 for one in entry.counted):
            return None
        event = event.event
    if not isinstance(event, Event) or not event.is_error or event.origin is Origin.HISTORY:
        return None
    return event


def _spike(failure: Event, subject: str, count: int, threshold: Threshold) -> Verdict:
    what = count_of(count, "failed tool call" if subject == TOOLS else "error")
    tool = one_line(failure.tool.name, 40) if failure.tool else ""
    said = one_line(failure.error or "", 120)
    last = " — ".join(part for part in (tool, said) if part)
    return Verdict(
        agent_id=failure.agent_id,
        severity=Severity.CRITICAL,
        subject=subject,
        message=f"{what} within {write_out(threshold.within)}" + (f", last: {last}" if last else ""),
        evidence={"count": count, "withinMs": threshold.within, "lastError": said, "lastTool": tool},
        may_brake=failure.origin is Origin.LIVE,
    )
