"""Stalled turns: one session hangs while others of its agent go on."""

from __future__ import annotations

import pytest
from clawatch_plugins.stalled_turn import StalledTurnSettings
from clawatch_plugins.stalled_turn.rule import StalledTurn

from clawatch.domain.events import Phase, Tool, Turn
from clawatch.domain.time import MINUTE, SECOND
from clawatch.testing.rules import Trial


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


def test_an_alert_from_before_the_start_ends_when_nothing_is_known_of_it(trial: Trial) -> None:
    ask(trial, "s")
    work_beside(trial, 11)
    trial.advance(100 * MINUTE)
    trial.say("message", session_id="third")
    trial.restart(StalledTurn({"agent-1": {"s"}, "a": {"s"}, trial.agent().id: {"s"}}))
    assert trial.alert(subject="s") is None
