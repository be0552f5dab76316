"""The rule: what an agent that people talk to has spent since anybody last did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, EventType, Origin, Turn
from clawatch.domain.journal import Entry, Fill
from clawatch.domain.money import Nanos, nanos, say_usd, usd
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.waking import Alarm
from clawatch.domain.words import write_out
from clawatch.ports import Rule

_HUMAN = frozenset({"user", "human"})
_TRIGGERS = frozenset({"heartbeat", "cron", "schedule", "hook", "automation", "subagent"})
"""What also speaks to agents, where its messages say so (``data.trigger``)."""


class Allowed(Protocol):
    @property
    def after(self) -> Millis: ...
    @property
    def usd(self) -> float: ...


class Account:
    """One agent's."""

    __slots__ = ("alarm", "asked_at", "over_at", "spent", "told")

    def __init__(self, asked_at: Millis) -> None:
        self.asked_at = asked_at
        """When a human last asked it something, or we began to listen; on the monotonic clock."""
        self.spent: Nanos = 0
        self.told: Nanos = 0
        """What was last told of; 0 while it does not fire."""
        self.over_at: Millis = 0
        """When it will have spent nothing for as long as nobody needs to ask it anything."""
        self.alarm = Alarm()


class IdleSpend(Rule):
    def __init__(self, told: Iterable[str] = ()) -> None:
        self._accounts: dict[str, Account] = {}
        self._open = set(told)
        """Agents whose alert was open at the start."""

    def observe(self, entry: Entry, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        event = entry.body.event if isinstance(entry.body, Fill) else entry.body
        if not isinstance(event, Event) or event.origin is Origin.HISTORY:
            return ()
        if _is_human(event):
            return self._ask(event, now)
        spent = sum(one.measures.cost for one in entry.counted)
        if not spent or agent.turn is Turn.NONE:
            return ()
        return list(self._spend(agent.id, spent, settings, now))

    def due(self, wake: Wake, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Finding]:
        account = self._accounts.get(agent.id)
        if account is None or not account.told or not account.alarm.rings(wake):
            return ()
        if now.mono < account.over_at:
            return account.alarm.set(account.over_at, now, agent.id)
        account.spent = account.told = 0
        return [Verdict(agent_id=agent.id, severity=None)]

    def watch(self, agent: Agent, settings: Allowed, now: Moment) -> Iterable[Wake]:
        """What is open from before the start goes on until somebody asks, or nothing more is spent."""
        if agent.id not in self._open:
            return ()
        account = self._account(agent.id, now)
        account.told = account.spent = max(account.spent, nanos(settings.usd))
        account.over_at = now.mono + settings.after
        return account.alarm.set(account.over_at, now, agent.id)

    def forget(self, agent_id: str) -> None:
        self._accounts.pop(agent_id, None)
        self._open.discard(agent_id)

    def _ask(self, event: Event, now: Moment) -> list[Finding]:
        account = self._account(event.agent_id, now)
        was_told = account.told > 0
        account.asked_at = max(account.asked_at, now.mono_at(event.received_at))
        account.spent = account.told = 0
        return [Verdict(agent_id=event.agent_id, severity=None)] if was_told else []

    def _spend(self, agent_id: str, spent: Nanos, settings: Allowed, now: Moment) -> Iterator[Finding]:
        account = self._account(agent_id, now)
        account.spent = max(0, account.spent + spent)
        silence = now.mono - account.asked_at
        if silence < settings.after or account.spent < nanos(settings.usd):
            return
        account.over_at = now.mono + settings.after
        if account.told == 0 or account.spent >= 2 * account.told:
            account.told = account.spent
            yield _spending(agent_id, account.spent, silence)
        yield from account.alarm.set(account.over_at, now, agent_id)

    def _account(self, agent_id: str, now: Moment) -> Account:
        account = self._accounts.get(agent_id)
        if account is None:
            account = self._accounts[agent_id] = Account(now.mono)
        return account


def _is_human(event: Event) -> bool:
    return (
        event.type is EventType.MESSAGE
        and _said(event, "role") in _HUMAN
        and _said(event, "trigger") not in _TRIGGERS
    )


def _said(event: Event, name: str) -> str:
    value = event.data.get(name)
    return value if isinstance(value, str) else ""


def _spending(agent_id: str, spent: Nanos, silence: Millis) -> Verdict:
    return Verdict(
        agent_id=agent_id,
        severity=Severity.WARNING,
        message=f"Idle spend — {say_usd(spent)} since anybody last asked it something, {write_out(silence)} ago",
        evidence={"spentUsd": usd(spent), "silentMs": silence},
    )
