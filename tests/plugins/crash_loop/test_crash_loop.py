"""Crash loops: restarts after lives that ended badly."""

from __future__ import annotations

import pytest
from clawatch_plugins.crash_loop import CrashLoopSettings
from clawatch_plugins.crash_loop.rule import CrashLoop

from clawatch.domain.alerts import Severity
from clawatch.domain.events import Activity, Origin
from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(CrashLoop(), CrashLoopSettings())


def start(trial: Trial, session: str | None = None, **fields: object) -> None:
    trial.say("status_change", activity=Activity.RUNNING, session_id=session, **fields)


def stop(trial: Trial, session: str | None = None) -> None:
    trial.say("status_change", activity=Activity.STOPPED, session_id=session)


def live(trial: Trial, times: int, seconds: int = 20, error: str | None = "exited with code 1") -> None:
    """Start, fail and end, so many times over."""
    for _ in range(times):
        start(trial)
        trial.advance(seconds * SECOND)
        if error:
            trial.say("error", error=error)
        stop(trial)


def test_the_third_restart_within_five_minutes_fires(trial: Trial) -> None:
    live(trial, 3)
    assert trial.verdicts == []
    live(trial, 1)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.severity is Severity.CRITICAL
    assert verdict.message == "Crash loop — 3 restarts within 5 minutes, last: exited with code 1"
    assert not verdict.says_silent


def test_an_agent_that_ends_well_may_be_started_as_often_as_one_likes(trial: Trial) -> None:
    live(trial, 20, error=None)
    assert trial.verdicts == []


def test_one_that_dies_without_a_word_is_known_by_its_new_session(trial: Trial) -> None:
    for number in range(4):
        start(trial, f"process-{number}")
        trial.advance(10 * SECOND)
    assert trial.alert() is not None


def test_the_same_process_may_say_again_that_it_runs(trial: Trial) -> None:
    for _ in range(20):
        start(trial, "process-1")
    assert trial.verdicts == []


def test_restarts_that_are_far_apart_are_none(trial: Trial) -> None:
    live(trial, 20, seconds=3 * 60)
    assert trial.verdicts == []


def test_it_is_over_when_it_has_lived_for_the_time(trial: Trial) -> None:
    live(trial, 4)
    start(trial)
    trial.advance(5 * MINUTE - 1)
    assert trial.alert() is not None
    trial.advance(1)
    assert trial.alert() is None


def test_what_is_read_from_the_past_counts_nothing(trial: Trial) -> None:
    for number in range(9):
        start(trial, f"process-{number}", origin=Origin.HISTORY)
    assert trial.verdicts == []


def test_an_error_it_only_shows_by_its_status_ends_a_life_badly(trial: Trial) -> None:
    for _ in range(4):
        start(trial)
        trial.say("status_change", activity=Activity.ERROR)
        trial.advance(SECOND)
        stop(trial)
    assert trial.alert() is not None


def test_sessions_beside_each_other_are_not_each_others_successors(trial: Trial) -> None:
    for _ in range(20):
        start(trial, "one")
        start(trial, "two")
    assert trial.verdicts == []


def test_after_a_restart_of_the_daemon_it_goes_on_counting(trial: Trial) -> None:
    live(trial, 3)
    trial.restart(CrashLoop())
    live(trial, 1)
    assert trial.alert() is not None


def test_one_that_was_over_before_the_daemon_restarted_may_begin_anew(trial: Trial) -> None:
    live(trial, 4)
    start(trial)
    trial.advance(30 * MINUTE)
    assert trial.alert() is None
    trial.restart(CrashLoop())
    live(trial, 5)
    assert trial.alert() is not None


def test_one_from_before_the_daemon_restarted_ends_in_its_time(trial: Trial) -> None:
    live(trial, 4)
    trial.restart(CrashLoop([AGENT]))
    assert trial.alert() is not None
    trial.advance(5 * MINUTE)
    assert trial.alert() is None


def test_one_from_long_before_ends_though_its_agent_speaks_first(trial: Trial) -> None:
    live(trial, 4)
    trial.advance(MINUTE)
    trial.clock.advance(2 * HOUR)
    start(trial)
    trial.offset -= 1
    trial.restart(CrashLoop([AGENT]))
    assert trial.alert() is None


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_neither_prolongs_nor_ends_it(trial: Trial, jump: int) -> None:
    live(trial, 4)
    trial.clock.jump(jump)
    trial.advance(4 * MINUTE)
    assert trial.alert() is not None
    trial.advance(MINUTE)
    assert trial.alert() is None
