"""Status error: a notice, never an alert, and not too many."""

from __future__ import annotations

import pytest
from clawatch_plugins.status_error import StatusErrorSettings, register_rules
from clawatch_plugins.status_error.rule import StatusError

from clawatch.domain.agents import Control
from clawatch.domain.alerts import Alert, AlertState, AlertType, Reason, Severity
from clawatch.domain.events import Activity, Origin, Tool, Turn
from clawatch.domain.journal import AlertChanged, ControlChanged, Removed, Silenced
from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.ports import AlertFilter, Page
from clawatch.testing.rules import AGENT, Trial


def an_alert(state: AlertState = AlertState.FIRING, agent_id: str = AGENT, id: str = "alert_1") -> Alert:
    return Alert(
        id=id, fingerprint="f", rule="loop", type=AlertType.LOOP_DETECTED, severity=Severity.WARNING,
        agent_id=agent_id, subject="", message="", state=state, started_at=0,
    )


def alert(trial: Trial, state: AlertState, agent_id: str = AGENT, id: str = "alert_1") -> None:
    trial.edge(AlertChanged(alert=an_alert(state, agent_id, id), reason=Reason.FIRED))


@pytest.fixture
def trial() -> Trial:
    trial = Trial(StatusError(), StatusErrorSettings())
    trial.say("heartbeat")
    return trial


def fail(trial: Trial, error: str = "it broke", agent_id: str = AGENT) -> None:
    trial.say("error", agent_id, error=error)


def recover(trial: Trial, agent_id: str = AGENT) -> None:
    trial.say("heartbeat", agent_id)


def test_running_to_error_gives_a_notice_and_no_alert(trial: Trial) -> None:
    """CW-55"""
    fail(trial)
    (notice,) = trial.notices
    assert notice.message == "Agent went from running to error — it broke"
    assert notice.severity is Severity.WARNING
    assert trial.verdicts == []


def test_a_reported_status_does_too(trial: Trial) -> None:
    trial.say("status_change", activity=Activity.ERROR)
    assert [n.message for n in trial.notices] == ["Agent went from running to error"]


def test_running_to_paused_gives_none(trial: Trial) -> None:
    """CW-55"""
    trial.say("status_change", activity=Activity.PAUSED)
    recover(trial)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="olga"))
    assert trial.said == []


def test_error_to_error_gives_none(trial: Trial) -> None:
    fail(trial)
    for _ in range(3):
        trial.advance(2 * HOUR)
        fail(trial)
    assert len(trial.notices) == 1


def test_an_agent_whose_first_word_is_an_error_was_not_running() -> None:
    trial = Trial(StatusError(), StatusErrorSettings())
    fail(trial)
    assert trial.said == []


def test_an_error_without_words_and_a_failed_tool_do_not_set_the_status(trial: Trial) -> None:
    trial.say("error")
    trial.say("tool_call", tool=Tool(name="Bash", ok=False), error="exit 2")
    assert trial.said == []


def test_a_paused_agent_gives_none(trial: Trial) -> None:
    """CW-19"""
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="olga"))
    fail(trial)
    assert trial.said == []


def test_a_stuck_agent_was_not_running(trial: Trial) -> None:
    trial.edge(Silenced(agent_id=AGENT))
    fail(trial)
    assert trial.said == []


def test_an_open_turn_that_fails_gives_one_and_an_idle_agent_none() -> None:
    trial = Trial(StatusError(), StatusErrorSettings())
    trial.say("message", turn=Turn.OPEN)
    trial.say("message", turn=Turn.CLOSED)
    fail(trial, "between turns")
    trial.say("message", turn=Turn.OPEN)
    trial.say("error", error="refused", turn=Turn.CLOSED)
    assert [n.message for n in trial.notices] == ["Agent went from running to error — refused"]


def test_there_is_at_most_one_per_agent_and_hour(trial: Trial) -> None:
    recover(trial, "other")
    fail(trial)
    fail(trial, agent_id="other")
    trial.advance(HOUR - SECOND)
    recover(trial)
    fail(trial)
    assert [n.agent_id for n in trial.notices] == [AGENT, "other"]
    recover(trial)
    trial.advance(SECOND)
    recover(trial)
    fail(trial)
    assert [n.agent_id for n in trial.notices] == [AGENT, "other", AGENT]


def test_two_notices_have_keys_of_their_own(trial: Trial) -> None:
    fail(trial)
    trial.advance(HOUR)
    recover(trial)
    fail(trial)
    assert len({n.key for n in trial.notices}) == 2


def test_there_is_none_while_another_alert_of_the_agent_fires(trial: Trial) -> None:
    alert(trial, AlertState.FIRING)
    fail(trial)
    assert trial.said == []
    recover(trial)
    alert(trial, AlertState.RESOLVED)
    fail(trial)
    assert len(trial.notices) == 1


@pytest.mark.parametrize(("state", "agent_id"), [(AlertState.PENDING, AGENT), (AlertState.FIRING, "other")])
def test_pending_alerts_and_those_of_others_do_not_matter(trial: Trial, state: AlertState, agent_id: str) -> None:
    recover(trial, "other")
    alert(trial, state, agent_id)
    fail(trial)
    assert len(trial.notices) == 1


def test_it_needs_both_alerts_to_end(trial: Trial) -> None:
    alert(trial, AlertState.FIRING, id="alert_1")
    alert(trial, AlertState.FIRING, id="alert_2")
    alert(trial, AlertState.RESOLVED, id="alert_1")
    fail(trial)
    assert trial.said == []


def test_spooled_errors_and_the_past_set_no_status(trial: Trial) -> None:
    for origin in (Origin.LATE, Origin.HISTORY):
        trial.say("error", error="x", origin=origin)
    assert trial.said == []


def test_an_error_that_is_over_when_it_is_read_is_told_all_the_same(trial: Trial) -> None:
    trial.write("error", error="short")
    trial.write("heartbeat")
    trial.read()
    assert len(trial.notices) == 1


class TestARestart:
    def test_tells_nothing_twice(self, trial: Trial) -> None:
        fail(trial)
        trial.restart(StatusError(), downtime=MINUTE)
        recover(trial)
        fail(trial)
        assert len(trial.notices) == 1

    def test_tells_what_was_stored_but_not_judged(self, trial: Trial) -> None:
        trial.write("error", error="the last word")
        trial.restart(StatusError())
        assert len(trial.notices) == 1

    def test_knows_who_was_in_error_long_before(self, trial: Trial) -> None:
        fail(trial)
        trial.restart(StatusError(), downtime=5 * HOUR)
        fail(trial)
        assert len(trial.notices) == 1

    async def test_knows_the_alerts_that_fire_since_long_before(self, trial: Trial) -> None:
        class Queries:
            async def alerts(self, who: object, where: AlertFilter, cursor: str | None, limit: int) -> Page[Alert]:
                assert where.state is AlertState.FIRING
                return Page((an_alert(agent_id="x"),), "more") if cursor is None else Page((an_alert(),), None)

        class Core:
            queries = Queries()

        (kind,) = register_rules()
        async with kind.open(StatusErrorSettings(), Core()) as rule:
            trial.restart(rule)
            fail(trial)
            assert trial.said == []


def test_a_removed_agent_is_forgotten(trial: Trial) -> None:
    alert(trial, AlertState.FIRING)
    trial.edge(Removed(agent_id=AGENT, by="olga"))
    recover(trial)
    fail(trial)
    assert len(trial.notices) == 1


def test_what_agents_write_is_cut_and_kept_on_one_line(trial: Trial) -> None:
    fail(trial, "<script>\x00\n*_`[" * 200)
    (notice,) = trial.notices
    assert notice.message.isprintable()
    assert len(notice.message) < 260


def test_it_is_registered_under_its_name() -> None:
    (kind,) = register_rules()
    assert (kind.name, kind.alert_type) == ("status_error", "error")
