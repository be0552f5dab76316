"""The life of an alert, moved by verdicts and by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from clawatch.alerting.engine import Cause, Step, tick, transition
from clawatch.domain.alerts import Alert, AlertState, AlertType, Mark, Reason, Severity
from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.domain.verdicts import Verdict
from clawatch.settings import RuleSettings

PLAIN = RuleSettings()


def verdict(severity: Severity | None = Severity.WARNING, message: str = "it burns") -> Verdict:
    return Verdict(agent_id="a", severity=severity, message=message)


def cause(now: int = 1000, seq: int = 1) -> Cause:
    return Cause("cost", AlertType.COST_SPIKE, seq, now)


def move(alert: Alert | None, said: Verdict, policy: RuleSettings = PLAIN, now: int = 1000, seq: int = 1) -> Step:
    step = transition(alert, said, policy, cause(now, seq), "alert_1")
    assert step is not None
    return step


def test_a_verdict_fires_at_once_when_nothing_is_to_be_waited_for() -> None:
    step = move(None, verdict())
    assert (step.alert.state, step.reason, step.alert.fired_at) == (AlertState.FIRING, Reason.FIRED, 1000)


def test_for_keeps_an_alert_pending_and_silent_until_its_time_is_over() -> None:
    policy = RuleSettings(for_=MINUTE)
    step = move(None, verdict(), policy)
    assert (step.alert.state, step.reason) == (AlertState.PENDING, None)
    assert tick(step.alert, policy, 1000 + MINUTE - 1) is None
    fired = tick(step.alert, policy, 1000 + MINUTE)
    assert fired is not None
    assert fired.reason is Reason.FIRED


def test_a_pending_alert_that_clears_was_never_told() -> None:
    pending = move(None, verdict(), RuleSettings(for_=MINUTE)).alert
    step = move(pending, verdict(None), seq=2)
    assert (step.alert.state, step.reason, step.alert.fired_at) == (AlertState.RESOLVED, None, 0)


def test_a_higher_level_raises_in_place_and_is_told_once() -> None:
    fired = move(None, verdict(Severity.INFO)).alert
    raised = move(fired, verdict(Severity.CRITICAL), seq=2)
    assert (raised.reason, raised.alert.id, raised.alert.severity) == (Reason.RAISED, fired.id, Severity.CRITICAL)
    assert transition(raised.alert, verdict(Severity.CRITICAL), PLAIN, cause(seq=3), "x") is None


def test_a_lower_level_lowers_nothing() -> None:
    fired = move(None, verdict(Severity.CRITICAL)).alert
    assert transition(fired, verdict(Severity.INFO), PLAIN, cause(seq=2), "x") is None


def test_the_same_cause_again_changes_nothing() -> None:
    fired = move(None, verdict(Severity.INFO), seq=7).alert
    assert transition(fired, verdict(Severity.CRITICAL), PLAIN, cause(seq=7), "x") is None


def test_resolve_after_waits_and_a_relapse_within_it_is_the_same_episode() -> None:
    policy = RuleSettings(resolve_after=MINUTE)
    fired = move(None, verdict(), policy).alert
    clearing = move(fired, verdict(None), policy, now=2000, seq=2)
    assert clearing.reason is None
    back = move(clearing.alert, verdict(message="again"), policy, now=3000, seq=3)
    assert (back.alert.state, back.alert.clear_since) == (AlertState.FIRING, 0)
    assert tick(clearing.alert, policy, 2000 + MINUTE - 1) is None
    resolved = tick(clearing.alert, policy, 2000 + MINUTE)
    assert resolved is not None
    assert resolved.reason is Reason.RESOLVED


def test_reminders_come_every_repeat_until_somebody_acknowledges() -> None:
    fired = move(None, verdict()).alert
    assert tick(fired, PLAIN, 1000 + 4 * HOUR - 1) is None
    again = tick(fired, PLAIN, 1000 + 4 * HOUR)
    assert again is not None
    assert again.reason is Reason.REPEATED
    assert tick(again.alert, PLAIN, 1000 + 4 * HOUR + SECOND) is None
    seen = replace(fired, acknowledged=Mark("me", 2000))
    assert tick(seen, PLAIN, 1000 + 40 * HOUR) is None


def test_the_configured_severity_overrules_the_rule() -> None:
    assert move(None, verdict(Severity.INFO), RuleSettings(severity=Severity.CRITICAL)).alert.severity == "critical"


@given(
    st.lists(
        st.tuples(st.sampled_from([None, *Severity]), st.integers(0, 2 * MINUTE)), max_size=30
    ),
    st.sampled_from([0, MINUTE]),
    st.sampled_from([0, MINUTE]),
)
def test_whatever_is_said_versions_grow_and_told_episodes_begin_and_end_once(
    said: list[tuple[Severity | None, int]], for_: int, resolve_after: int
) -> None:
    policy = RuleSettings(for_=for_, resolve_after=resolve_after)
    alert: Alert | None = None
    now, told = 1000, []
    for seq, (severity, wait) in enumerate(said, start=1):
        now += wait
        steps = [tick(alert, policy, now)] if alert else []
        if steps and steps[0] and steps[0].alert.state is AlertState.RESOLVED:
            alert = None
            told.append(Reason.RESOLVED)
            steps = []
        elif steps and steps[0]:
            alert = steps[0].alert
            told.append(steps[0].reason)
        step = transition(alert, verdict(severity), policy, cause(now, seq), f"alert_{seq}")
        if step is None:
            continue
        assert alert is None or step.alert.version > alert.version or step.alert.id != alert.id
        told.append(step.reason)
        alert = None if step.alert.state is AlertState.RESOLVED else step.alert
    edges = [reason for reason in told if reason in (Reason.FIRED, Reason.RESOLVED)]
    assert all(reason is (Reason.FIRED, Reason.RESOLVED)[i % 2] for i, reason in enumerate(edges))
