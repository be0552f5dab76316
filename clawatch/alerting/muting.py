"""Silences: which alerts may not ring now."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from clawatch.domain.access import Principal
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.time import Millis


def matches(silence: Silence, alert: Alert) -> bool:
    """Whether the silence speaks of this alert; empty fields match everything."""
    if silence.alert_id:
        return silence.alert_id == alert.id
    return (
        fnmatchcase(alert.agent_id, silence.agent)
        and silence.rule in ("", alert.rule)
        and silence.severity in ("", alert.severity)
    )


def silenced_until(silences: Iterable[Silence], alert: Alert, now: Millis) -> Millis | None:
    """When the last silence on this alert ends; None when none holds now."""
    return max((s.expires_at for s in silences if s.expires_at > now and matches(s, alert)), default=None)


def is_own(silence: Silence, principal: Principal) -> bool:
    """Whether the silence is the principal's business: it touches none but agents that it sees.

    Of two patterns nobody can say in general whether one contains the other, so they must be equal.
    """
    if silence.alert_id:
        return principal.sees(silence.agent)
    return principal.sees_all or silence.agent in principal.agents
