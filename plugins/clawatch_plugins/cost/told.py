"""What the rule has said of one limit or hour, and how it is said."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clawatch.domain.alerts import Alert, Severity
from clawatch.domain.money import Nanos, say_usd, usd
from clawatch.domain.time import Millis
from clawatch.domain.verdicts import Verdict
from clawatch.domain.words import one_line
from clawatch_plugins.cost.settings import Limit, Per, Scope

REACHED = 100
_WHEN = {Per.TOTAL: "in total", Per.HOUR: "this hour", Per.DAY: "today", Per.MONTH: "this month"}


class Told(Struct, frozen=True):
    """The last word on a subject. Another period, or a lower severity, begins a new episode."""

    percent: int
    limit: Nanos
    start: Millis = 0
    """Of the calendar period; 0 where there is none."""
    session: str = ""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.percent >= REACHED else Severity.INFO


def told_of(alert: Alert) -> Told:
    """As the alert's evidence has it; an alert that says something else is taken as told of nothing."""
    evidence = alert.evidence
    session = evidence.get("session")
    return Told(
        percent=_int(evidence, "percent"),
        limit=_int(evidence, "limitNanos"),
        start=_int(evidence, "since"),
        session=session if isinstance(session, str) else "",
    )


def _int(evidence: dict[str, Any], key: str) -> int:
    value = evidence.get(key)
    return value if isinstance(value, int) else 0


def step_of(spent: Nanos, limit: Nanos) -> int:
    """The highest step reached, in percent: 50, 80, 100, then each doubling; 0 below half."""
    share = spent * 100 // limit
    if share < REACHED:
        return 80 if share >= 80 else 50 if share >= 50 else 0
    return REACHED << min(20, (share // REACHED).bit_length() - 1)


def limit_verdict(agent_id: str, subject: str, limit: Limit, spent: Nanos, told: Told) -> Verdict:
    is_reached = told.percent >= REACHED
    is_fleets = limit.scope is Scope.FLEET
    what = "cost limit reached" if is_reached else f"{told.percent} % of the cost limit used"
    when = _WHEN.get(limit.per) or f"in the session {one_line(told.session, 40)}"
    message = f"{what} — {say_usd(spent)} of {say_usd(limit.nanos)} {when}"
    return Verdict(
        agent_id=agent_id,
        severity=told.severity,
        subject=subject,
        message=f"Fleet: {message}" if is_fleets else message[0].upper() + message[1:],
        evidence=_evidence(limit.per, spent, told) | {"scope": str(limit.scope)},
        may_brake=not is_fleets,
        is_top=is_reached,
    )


def spike_verdict(agent_id: str, subject: str, spent: Nanos, usual: Nanos, told: Told) -> Verdict:
    return Verdict(
        agent_id=agent_id,
        severity=Severity.INFO,
        subject=subject,
        message=f"Spends more than usual — {say_usd(spent)} this hour, usually {say_usd(usual)}",
        evidence=_evidence(Per.HOUR, spent, told) | {"usualUsd": usd(usual)},
        may_brake=False,
        is_top=False,
    )


def _evidence(per: Per, spent: Nanos, told: Told) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "per": str(per),
        "spentUsd": usd(spent),
        "limitUsd": usd(told.limit),
        "limitNanos": told.limit,
        "percent": told.percent,
    }
    if told.start:
        evidence["since"] = told.start
    if told.session:
        evidence["session"] = told.session
    return evidence
