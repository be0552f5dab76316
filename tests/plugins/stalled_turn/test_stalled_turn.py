"""Stalled turns: one session hangs while others of its agent go on."""

from __future__ import annotations

import pytest
from clawatch_plugins.stalled_turn import StalledTurnSettings
from clawatch_plugins.stalled_turn.rule import PER_AGENT, StalledTurn

from clawatch.domain.agents import Control
from clawatch.domain.events import Phase, Tool, Turn
from clawatch.domain.journal import ControlChanged
from clawatch.domain.time import DAY, MINUTE, SECOND
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(StalledTurn(), StalledTurnSettings())


def ask(trial: Trial, session: str) -> None:
    trial.say("message", session_id=session, turn=Turn.OPEN)


def work_beside(trial: Trial, minutes: int) -> None:
    """Another session goes on."""
    for _ in range(minutes):
        trial.advance(MINUTE)
        trial.say("tool_call", session_id="other", turn=Turn.OPEN)


def test_a_turn_without_progress_for_longer_than_ten_minutes_beside_others_is_stalled(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 10)
    assert trial.alert(subject="s") is None
    trial.advance(SECOND)
    verdict = trial.alert(subject="s")
    assert verdict is not None
    assert verdict.message == (
        "Stalled turn — no progress in the session s for 10 minutes, while others of this agent go on"
    )
    assert not verdict.says_silent


def test_the_only_session_is_left_to_stuck(trial: Trial) -> None:
    ask(trial, "s")
    trial.advance(60 * MINUTE)
    assert trial.verdicts == []


def test_a_tool_may_take_its_time(trial: Trial) -> None:
    ask(trial, "s")
    trial.say("tool_call", session_id="s", phase=Phase.START, tool=Tool(name="make"))
    work_beside(trial, 30)
    assert trial.alert(subject="s") is None
    work_beside(trial, 1)
    verdict = trial.alert(subject="s")
    assert verdict is not None
    assert "last seen running make" in verdict.message


def test_progress_resolves_it(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.say("tool_call", session_id="s")
    assert trial.alert(subject="s") is None


@pytest.mark.parametrize("turn", [Turn.CLOSED, Turn.WAITING])
def test_between_turns_and_while_it_waits_for_a_human_nothing_stalls(trial: Trial, turn: Turn) -> None:
    ask(trial, "s")
    trial.say("message", session_id="s", turn=turn)
    work_beside(trial, 60)
    assert trial.verdicts == []


def test_signs_of_life_that_are_no_work_do_not_count(trial: Trial) -> None:
    ask(trial, "s")
    for _ in range(11):
        work_beside(trial, 1)
        trial.say("metrics", session_id="s", is_progress=False)
    assert trial.alert(subject="s") is not None


def test_one_wake_is_asked_for_however_much_is_said(trial: Trial) -> None:
    ask(trial, "s")
    for _ in range(100):
        trial.say("tool_call", session_id="s")
    assert trial.pending_wakes == 1


def test_one_wake_is_asked_for_however_many_turns_come_and_go(trial: Trial) -> None:
    for number in range(1_000):
        ask(trial, f"s{number}")
        trial.say("message", session_id=f"s{number}", turn=Turn.CLOSED)
    assert trial.pending_wakes == 1


def test_an_alert_from_before_the_start_ends_when_nothing_is_known_of_it(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.advance(100 * MINUTE)
    trial.say("message", session_id="third")
    trial.restart(StalledTurn({"agent-1": {"s"}, "a": {"s"}, trial.agent().id: {"s"}}))
    assert trial.alert(subject="s") is None


def test_one_of_several_tools_may_still_take_its_time(trial: Trial) -> None:
    ask(trial, "s")
    for call, tool in (("1", "make"), ("2", "ls")):
        trial.say("tool_call", session_id="s", phase=Phase.START, call_id=call, tool=Tool(name=tool))
    trial.say("tool_call", session_id="s", phase=Phase.END, call_id="2", tool=Tool(name="ls"))
    work_beside(trial, 29)
    assert trial.verdicts == []


def test_an_agent_that_is_put_aside_takes_it_back_and_begins_anew_afterwards(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="ops"))
    trial.advance(10 * MINUTE)
    assert trial.alert(subject="s") is None
    trial.advance(9 * MINUTE)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.RUN, by="ops"))
    work_beside(trial, 9)
    assert trial.alert(subject="s") is None
    work_beside(trial, 3)
    assert trial.alert(subject="s") is not None


def test_a_session_that_has_died_is_given_up_after_a_day(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.advance(DAY - 10 * MINUTE)
    assert trial.alert(subject="s") is not None
    trial.advance(20 * MINUTE)
    assert trial.alert(subject="s") is None


def test_one_that_gives_way_to_newer_sessions_takes_its_alert_with_it(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    for number in range(PER_AGENT):
        ask(trial, f"s{number}")
    assert trial.alert(subject="s") is None


def test_what_the_daemon_missed_while_it_was_away_does_not_count(trial: Trial) -> None:
    ask(trial, "s")
    trial.advance(MINUTE)
    ask(trial, "other")
    trial.restart(StalledTurn(), downtime=30 * MINUTE)
    assert trial.verdicts == []
    work_beside(trial, 10)
    assert trial.alert(subject="s") is not None


def test_one_from_before_the_start_ends_with_its_next_progress(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.write("tool_call", session_id="s")
    trial.restart(StalledTurn({AGENT: {"s"}}))
    assert trial.alert(subject="s") is None


def test_one_from_before_the_start_ends_where_more_is_allowed_now(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.settings = StalledTurnSettings(after="20m")  # type: ignore[arg-type]
    trial.restart(StalledTurn({AGENT: {"s"}}))
    assert trial.alert(subject="s") is None


def test_other_settings_of_an_agent_hold_from_its_next_word_on(trial: Trial) -> None:
    ask(trial, "s")
    trial.overrides[AGENT] = StalledTurnSettings(after="2m")  # type: ignore[arg-type]
    trial.say("tool_call", session_id="s")
    work_beside(trial, 3)
    assert trial.alert(subject="s") is not None
