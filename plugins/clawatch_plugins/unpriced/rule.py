"""The rule: tokens without a price, by agent and model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, Origin
from clawatch.domain.journal import Counted, Entry, Fill
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.words import one_line, short_name, write_out
from clawatch.ports import Rule

_MODELS = 32
"""Of one agent."""


class Allowed(Protocol):
    @property
    def tokens(self) -> int: ...
    @property
    def quiet(self) -> Millis: ...


class Unknown:
    """One agent's tokens of one model."""

    __slots__ = ("alarm", "over_at", "tokens", "told")

    def __init__(self) -> None:
        self.tokens = 0
        self.told = 0
        """What was last told of; 0 while it does not fire."""
        self.over_at: Millis = 0
        """When none of it will have come for the time, on the monotonic clock."""
        self.alarm = Alarm()


class Unpriced(Rule):
    def __init__(self, open_subjects: dict[str, set[str]] | None = None) -> None:
        self._open_subjects = open_subjects or {}
        """Of alerts that were open at the start."""
        self._agents: dict[str, dict[str, Unknown]] = {}

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        if not entry.counted:
            return ()
        event = entry.body.event if isinstance(entry.body, Fill) else entry.body
        if not isinstance(event, Event) or event.origin is Origin.HISTORY:
            return ()
        return [finding for one in entry.counted for finding in self._count(agent.id, one, settings, now)]

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        models = self._agents.get(agent.id, {})
        known = models.get(wake.subject)
        if known is None or not known.alarm.rings(wake):
            return ()
        if now.mono < known.over_at:
            return known.alarm.set(known.over_at, now, agent.id, wake.subject)
        del models[wake.subject]
        return [_over(agent.id, wake.subject)] if known.told else ()

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """What is open from before the start goes on until the model is priced, or not used any more.

        What is not open has not been told.
        """
        for known in self._agents.get(agent.id, {}).values():
            known.told = 0
        for subject in self._open_subjects.pop(agent.id, ()):
            known = self._agents.setdefault(agent.id, {}).setdefault(subject, Unknown())
            known.told = known.tokens = max(known.tokens, settings.tokens)
            known.over_at = now.mono + settings.quiet
            yield from known.alarm.set(known.over_at, now, agent.id, subject)

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._open_subjects.pop(agent_id, None)

    def _count(self, agent_id: str, one: Counted, settings: Allowed, now: Moment) -> Iterator[Finding]:
        model = short_name(one.model)
        if one.measures.unpriced > 0:
            yield from self._add(agent_id, model, one.measures.unpriced, settings, now)
        elif known := self._agents.get(agent_id, {}).get(model):
            known.tokens = 0 if one.measures.cost > 0 else max(0, known.tokens + one.measures.unpriced)
            if known.told and known.tokens < settings.tokens:
                known.told = 0
                yield _over(agent_id, model)

    def _add(self, agent_id: str, model: str, tokens: int, settings: Allowed, now: Moment) -> Iterator[Finding]:
        models = self._agents.setdefault(agent_id, {})
        if model not in models and len(models) >= _MODELS:
            return
        known = models.setdefault(model, Unknown())
        known.tokens += tokens
        known.over_at = now.mono + settings.quiet
        is_news = known.told == 0 or known.tokens >= 10 * known.told
        if known.tokens >= settings.tokens and is_news:
            known.told = known.tokens
            yield _unpriced(agent_id, model, known.tokens, settings)
        yield from known.alarm.set(known.over_at, now, agent_id, model)


def _over(agent_id: str, model: str) -> Verdict:
    return Verdict(agent_id=agent_id, severity=None, subject=model)


def _unpriced(agent_id: str, model: str, tokens: int, settings: Allowed) -> Verdict:
    named = one_line(model, 60) if model else "a model that is not named"
    return Verdict(
        agent_id=agent_id,
        severity=Severity.INFO,
        subject=model,
        message=f"Unpriced usage — {tokens:,} tokens of {named}, whose price is not known; "
        "their cost is missing from every sum",
        evidence={
            "model": model, "tokens": tokens,
            "remedy": "set its price under prices in the configuration",
            "quietAfter": write_out(settings.quiet),
        },
        may_brake=False,
    )
