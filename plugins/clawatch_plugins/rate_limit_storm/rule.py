"""The rule: refusals by a provider's limits since the last call that worked."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import Entry, Fill
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.windows import MOST
from clawatch.domain.words import count_of, one_line, write_out
from clawatch.ports import Rule

_REFUSED = re.compile(
    r"\b(429|529)\b|rate[ _-]?limit|too many requests|overloaded|quota exceeded|resource[ _]exhausted", re.IGNORECASE
)
"""How providers say it: HTTP 429 (RFC 6585 §4), Anthropic's 529 overloaded_error, Google's RESOURCE_EXHAUSTED."""
_READ = 2_000
"""Characters of an error that are looked through."""


class Allowed(Protocol):
    @property
    def refusals(self) -> int: ...
    @property
    def within(self) -> Millis: ...


class Storm:
    """One agent's refusals since its last call that worked."""

    __slots__ = ("alarm", "clear_at", "times", "told")

    def __init__(self) -> None:
        self.times: deque[Millis] = deque(maxlen=MOST)
        self.told = 0
        """The count last told of; 0 while it does not fire."""
        self.clear_at: Millis = 0
        """When it is over if nothing more comes, on the monotonic clock."""
        self.alarm = Alarm()

    def count(self, at: Millis, within: Millis) -> int:
        return sum(at - within <= one for one in self.times)


class RateLimitStorm(Rule):
    def __init__(self, told: Iterable[str] = ()) -> None:
        self._storms: dict[str, Storm] = {}
        self._open = set(told)
        """Agents whose alert was open at the start."""

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body.event if isinstance(entry.body, Fill) else entry.body
        if not isinstance(event, Event) or event.origin is Origin.HISTORY:
            return ()
        if event.type is EventType.ERROR and isinstance(entry.body, Event):
            return list(self._refuse(event, settings, now)) if _is_refusal(event) else ()
        if event.usage is not None and event.usage.total and event.error is None:
            return list(self._work(event.agent_id))
        return ()

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        storm = self._storms.get(agent.id)
        if storm is None or not storm.alarm.rings(wake):
            return ()
        if now.mono < storm.clear_at:
            return storm.alarm.set(storm.clear_at, now, agent.id)
        storm.told = 0
        return [Verdict(agent_id=agent.id, severity=None)]

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """What is open from before the start may be long over; what is not open has not been told."""
        is_open = agent.id in self._open
        storm = self._storms.setdefault(agent.id, Storm()) if is_open else self._storms.get(agent.id)
        if storm is None:
            return ()
        storm.told = max(storm.told, settings.refusals) if is_open else 0
        return storm.alarm.set(storm.clear_at, now, agent.id)

    def forget(self, agent_id: str) -> None:
        self._storms.pop(agent_id, None)
        self._open.discard(agent_id)

    def _refuse(self, event: Event, settings: Allowed, now: Moment) -> Iterator[Finding]:
        storm = self._storms.setdefault(event.agent_id, Storm())
        storm.times.append(event.at)
        count = storm.count(event.at, settings.within)
        if count < settings.refusals:
            return
        if now.mono >= storm.clear_at:
            storm.told = 0
        storm.clear_at = now.mono_at(event.received_at) + settings.within
        if storm.told == 0 or count >= 2 * storm.told:
            storm.told = count
            yield _storming(event, count, settings)
        yield from storm.alarm.set(storm.clear_at, now, event.agent_id)

    def _work(self, agent_id: str) -> Iterator[Finding]:
        storm = self._storms.get(agent_id)
        if storm is None:
            return
        storm.times.clear()
        if storm.told:
            storm.told = 0
            yield Verdict(agent_id=agent_id, severity=None)


def _is_refusal(event: Event) -> bool:
    status = event.data.get("statusCode", event.data.get("status_code"))
    return status in (429, 529, "429", "529") or _REFUSED.search((event.error or "")[:_READ]) is not None


def _storming(event: Event, count: int, settings: Allowed) -> Verdict:
    said = one_line(event.error or "", 120)
    return Verdict(
        agent_id=event.agent_id,
        severity=Severity.WARNING,
        message=f"Rate-limit storm — {count_of(count, 'refusal')} within {write_out(settings.within)} and no call"
        f" that worked, last: {said}",
        evidence={"count": count, "withinMs": settings.within, "lastError": said},
        may_brake=event.origin is Origin.LIVE,
    )
