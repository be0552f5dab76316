"""The life of an alert, as pure functions: pending → firing → resolved, one episode at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from clawatch.domain.alerts import (
    SEVERITY_RANK,
    Alert,
    AlertState,
    AlertType,
    Reason,
    Severity,
    fingerprint,
)
from clawatch.domain.time import Millis
from clawatch.domain.verdicts import Verdict
from clawatch.settings import RuleSettings

RINGS = frozenset({Reason.FIRED, Reason.RAISED, Reason.REPEATED, Reason.UNSILENCED})
"""Reasons that tell people anew; the others edit what was said."""


@dataclass(frozen=True)
class Step:
    """An alert moved. ``reason`` None: nothing to say (pending, or never fired)."""

    alert: Alert
    reason: Reason | None


@dataclass(frozen=True)
class Cause:
    """What moves an alert: the rule, the journal seq that caused it, and the time."""

    rule: str
    alert_type: AlertType
    seq: int
    now: Millis


def transition(alert: Alert | None, verdict: Verdict, policy: RuleSettings, cause: Cause, new_id: str) -> Step | None:
    """What a verdict makes of the alert of its fingerprint; None when nothing changes.

    ``alert`` is the open alert, or None. A cause already taken in changes nothing, so a verdict that comes
    again after a crash is harmless.
    """
    if alert is not None and cause.seq and alert.cause >= cause.seq:
        return None
    if verdict.severity is None:
        return None if alert is None else _clear(alert, policy, cause)
    severity = policy.severity or verdict.severity
    if alert is None:
        return _begin(verdict, severity, policy, cause, new_id)
    return _restate(alert, verdict, severity, cause)


Age = Callable[[Millis], Millis]
"""How long ago an instant of an alert's was, by the clock that nobody sets."""


def tick(alert: Alert, policy: RuleSettings, now: Millis, age: Age | None = None) -> Step | None:
    """What the mere passing of time makes of an open alert."""
    age = age or (lambda instant: now - instant)
    if alert.state is AlertState.PENDING and age(alert.started_at) >= policy.for_:
        return _fire(alert, now)
    if alert.clear_since and age(alert.clear_since) >= policy.resolve_after:
        return _resolve(alert, now)
    if alert.is_firing and alert.acknowledged is None and policy.repeat and age(alert.told_at) >= policy.repeat:
        return Step(_moved(alert, now, told_at=now), Reason.REPEATED)
    return None


def _begin(verdict: Verdict, severity: Severity, policy: RuleSettings, cause: Cause, new_id: str) -> Step:
    alert = Alert(
        id=new_id,
        fingerprint=fingerprint(cause.rule, verdict.agent_id, verdict.subject),
        rule=cause.rule,
        type=cause.alert_type,
        severity=severity,
        agent_id=verdict.agent_id,
        subject=verdict.subject,
        message=verdict.message,
        evidence=verdict.evidence,
        state=AlertState.PENDING,
        started_at=cause.now,
        says_silent=verdict.says_silent,
        calls_brake=_calls_brake(verdict),
        cause=cause.seq,
    )
    if policy.for_ > 0:
        return Step(_moved(alert, cause.now), None)
    return _fire(alert, cause.now)


def _restate(alert: Alert, verdict: Verdict, severity: Severity, cause: Cause) -> Step | None:
    raised = SEVERITY_RANK[severity] > SEVERITY_RANK[alert.severity]
    is_same = verdict.message == alert.message and _calls_brake(verdict) == alert.calls_brake
    if not raised and is_same and not alert.clear_since:
        return None
    changed = _moved(
        alert,
        cause.now,
        cause=max(cause.seq, alert.cause),
        severity=severity if raised else alert.severity,
        message=verdict.message,
        evidence=verdict.evidence,
        calls_brake=_calls_brake(verdict),
        clear_since=0,
    )
    if not alert.is_firing:
        return Step(changed, None)
    if raised:
        return Step(replace(changed, told_at=cause.now), Reason.RAISED)
    return Step(changed, Reason.UPDATED)


def _calls_brake(verdict: Verdict) -> bool:
    return verdict.is_top and verdict.may_brake


def _clear(alert: Alert, policy: RuleSettings, cause: Cause) -> Step | None:
    if alert.is_firing and policy.resolve_after > 0:
        if alert.clear_since:
            return None
        return Step(_moved(alert, cause.now, clear_since=cause.now, cause=max(cause.seq, alert.cause)), None)
    return _resolve(alert, cause.now, cause.seq)


def _fire(alert: Alert, now: Millis) -> Step:
    return Step(_moved(alert, now, state=AlertState.FIRING, fired_at=now, told_at=now), Reason.FIRED)


def _resolve(alert: Alert, now: Millis, seq: int = 0) -> Step:
    resolved = _moved(
        alert, now, state=AlertState.RESOLVED, resolved_at=now, clear_since=0, cause=max(seq, alert.cause)
    )
    return Step(resolved, Reason.RESOLVED if alert.is_firing else None)


def _moved(alert: Alert, now: Millis, **changes: object) -> Alert:
    return replace(alert, changed_at=now, version=alert.version + 1, **changes)


def end(alert: Alert, now: Millis) -> Step:
    """The alert's agent is gone, or its rule no longer looks."""
    return _resolve(alert, now)
