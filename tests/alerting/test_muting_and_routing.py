from __future__ import annotations

from msgspec.structs import replace

from clawatch.alerting.muting import matches, silenced_until
from clawatch.alerting.routing import Route, receivers
from clawatch.domain.alerts import Alert, AlertState, AlertType, Severity, Silence

ALERT = Alert(
    id="alert_1", fingerprint="f", rule="loop", type=AlertType.LOOP_DETECTED, severity=Severity.WARNING,
    agent_id="build-7", subject="", message="", state=AlertState.FIRING, started_at=0,
)
SILENCE = Silence(id="silence_1", created_at=0, expires_at=100, by="me")


def test_an_empty_silence_mutes_everything() -> None:
    assert matches(SILENCE, ALERT)


def test_every_field_of_a_silence_must_match() -> None:
    assert matches(replace(SILENCE, agent="build-*", rule="loop", severity="warning"), ALERT)
    assert not matches(replace(SILENCE, agent="prod-*"), ALERT)
    assert not matches(replace(SILENCE, rule="cost"), ALERT)
    assert not matches(replace(SILENCE, severity="critical"), ALERT)


def test_a_silence_on_one_alert_mutes_no_other() -> None:
    assert matches(replace(SILENCE, alert_id="alert_1"), ALERT)
    assert not matches(replace(SILENCE, alert_id="alert_2"), ALERT)


def test_of_several_silences_the_last_to_end_counts_and_ended_ones_do_not() -> None:
    later = replace(SILENCE, expires_at=200)
    assert silenced_until([SILENCE, later], ALERT, 50) == 200
    assert silenced_until([SILENCE], ALERT, 100) is None


def test_without_routes_everything_goes_to_all() -> None:
    assert receivers([], ["a", "b"], "info", "cost", "x") == ["a", "b"]


def test_every_route_that_matches_counts_and_nobody_is_told_twice() -> None:
    routes = [
        Route(notifiers=("a",), severity="critical"),
        Route(notifiers=("a", "b"), agent="build-*"),
        Route(notifiers=("gone",), rule="loop"),
    ]
    assert receivers(routes, ["a", "b"], "critical", "loop", "build-7") == ["a", "b"]
    assert receivers(routes, ["a", "b"], "info", "loop", "other") == []
