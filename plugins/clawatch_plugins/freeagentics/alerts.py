"""Our alerts as this contract's performance alerts."""

from __future__ import annotations

from typing import Any

from clawatch.domain.alerts import Alert, AlertState, AlertType, Reason
from clawatch.domain.journal import AlertChanged
from clawatch.domain.time import SECOND
from clawatch_plugins.freeagentics.numbers import number_of
from clawatch_plugins.freeagentics.wire import PerformanceAlert
from clawatch_plugins.freeagentics.words import SEVERITY_OF

FLEET = "fleet"
"""The component that an alert about the fleet as a whole affects."""
_TOLD = frozenset({Reason.FIRED, Reason.RAISED, Reason.RESOLVED})
_ADVICE = {
    AlertType.STUCK: "Look at what the agent waits for; restart it if it does not come back",
    AlertType.ERROR: "Look at its last errors; pause the agent until their cause is gone",
    AlertType.COST_SPIKE: "Pause the agent, or raise its budget",
    AlertType.LOOP_DETECTED: "Pause the agent, and give it a new prompt",
}
_VALUES = ("spentUsd", "count", "runs")
_THRESHOLDS = ("limitUsd", "threshold", "moreThan")


def performance_alert(changed: AlertChanged) -> PerformanceAlert | None:
    """None where it is nothing that people are told anew."""
    alert = changed.alert
    if changed.reason not in _TOLD or alert.state is AlertState.PENDING:
        return None
    value, threshold = _figures(alert)
    return PerformanceAlert(
        alert_id=alert.id,
        severity=SEVERITY_OF[alert.severity],
        type=str(alert.type),
        message=alert.message if alert.is_firing else f"Resolved: {alert.message}",
        affected_components=[alert.agent_id or FLEET],
        current_value=value,
        threshold=threshold,
        recommended_action=_ADVICE[alert.type] if alert.is_firing else "None; it is over",
        status=str(alert.state),
        agent_id=alert.agent_id or None,
        rule=alert.rule,
    )


def _figures(alert: Alert) -> tuple[float | None, float | None]:
    """What was measured, and from where on that is too much, as far as the evidence tells; silence in seconds."""
    found = alert.evidence
    after, since = number_of(found.get("afterMs")), number_of(found.get("lastSignAt"))
    if after is not None and since is not None:
        return max(alert.fired_at - since, 0) / SECOND, after / SECOND
    return _first(found, _VALUES), _first(found, _THRESHOLDS)


def _first(found: dict[str, Any], names: tuple[str, ...]) -> float | None:
    return next((number for name in names if (number := number_of(found.get(name))) is not None), None)
