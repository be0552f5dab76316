"""Zombie runs: said to be running, and nobody works on them."""

from __future__ import annotations

import pytest
from clawatch_plugins.zombie_run import ZombieRunSettings
from clawatch_plugins.zombie_run.rule import PER_AGENT, ZombieRun

from clawatch.domain.agents import Control
from clawatch.domain.events import Activity, RunReport, Turn
from clawatch.domain.journal import ControlChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(ZombieRun(), ZombieRunSettings())


def say_run(trial: Trial, status: str = "running", run_id: str = "r1", **fields: object) -> None:
    trial.say("run", run=RunReport(run_id=run_id, status=status, kind="task", **fields))  # type: ignore[arg-type]


def test_a_run_that_nothing_is_heard_of_for_longer_than_half_an_hour_is_one(trial: Trial) -> None:
    say_run(trial, stage="build")
    trial.advance(30 * MINUTE)
    assert trial.alert(subject="r1") is None
    trial.advance(1)
    verdict = trial.alert(subject="r1")
    assert verdict is not None
    assert verdict.message == (
        "Zombie run — task r1 is said to be running at build, but nothing was heard of it for 30 minutes"
    )
    assert not verdict.says_silent


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_its_end_resolves_it(trial: Trial, status: str) -> None:
    say_run(trial)
    trial.advance(HOUR)
    say_run(trial, status)
    assert trial.alert(subject="r1") is None
    trial.advance(DAY)
    assert trial.alert(subject="r1") is None


def test_progress_moves_the_deadline_and_one_wake_is_asked_for(trial: Trial) -> None:
    for step in range(50):
        say_run(trial, progress=step / 100)
        trial.advance(10 * MINUTE)
    assert trial.verdicts == []
    assert trial.pending_wakes == 1


def test_what_its_agent_does_counts_for_the_newest_run(trial: Trial) -> None:
    say_run(trial, run_id="old")
    say_run(trial, run_id="new")
    for _ in range(4):
        trial.advance(10 * MINUTE)
        trial.say("tool_call")
    assert trial.alert(subject="new") is None
    assert trial.alert(subject="old") is not None


def test_an_idle_agent_works_on_nothing(trial: Trial) -> None:
    say_run(trial)
    trial.say("status_change", activity=Activity.IDLE, turn=Turn.CLOSED)
    trial.advance(2 * MINUTE)
    assert trial.alert(subject="r1") is None
    trial.advance(SECOND)
    verdict = trial.alert(subject="r1")
    assert verdict is not None
    assert verdict.message.endswith("; its agent is idle")


def test_the_agents_next_work_takes_it_back(trial: Trial) -> None:
    say_run(trial)
    trial.advance(HOUR)
    trial.say("tool_call", activity=Activity.RUNNING)
    assert trial.alert(subject="r1") is None


def test_runs_from_before_the_last_hour_are_known_by_the_store(trial: Trial) -> None:
    say_run(trial)
    now = trial.now.wall
    run = Run(
        id="r1", agent_id=AGENT, created_at=now - DAY, updated_at=now - DAY, kind="task", status=RunStatus.RUNNING
    )
    trial.advance(2 * HOUR)
    trial.restart(ZombieRun([run]))
    trial.advance(SECOND)
    assert trial.alert(subject="r1") is not None


def test_an_alert_of_a_run_that_ended_before_the_start_ends_too(trial: Trial) -> None:
    say_run(trial)
    trial.advance(HOUR)
    trial.advance(2 * HOUR)
    trial.restart(ZombieRun([], {AGENT: {"r1"}}))
    assert trial.alert(subject="r1") is None


def test_a_removed_agent_is_forgotten(trial: Trial) -> None:
    say_run(trial)
    trial.rule.forget(AGENT)
    trial.advance(HOUR)
    assert all(verdict.severity is None for verdict in trial.verdicts)


def hold(trial: Trial, control: Control) -> None:
    trial.edge(ControlChanged(agent_id=AGENT, control=control, by="ops"))


def run_of(trial: Trial, run_id: str, ago: int) -> Run:
    """As the store knows it."""
    at = trial.now.wall - ago
    return Run(id=run_id, agent_id=AGENT, created_at=at, updated_at=at, kind="task", status=RunStatus.RUNNING)


def test_a_paused_agent_lets_its_runs_rest_on_purpose(trial: Trial) -> None:
    say_run(trial)
    hold(trial, Control.PAUSED)
    trial.advance(59 * MINUTE)
    hold(trial, Control.RUN)
    trial.advance(30 * MINUTE)
    assert trial.alert(subject="r1") is None
    trial.advance(30 * MINUTE)
    assert trial.alert(subject="r1") is not None


def test_a_run_that_is_overdue_for_a_week_is_given_up(trial: Trial) -> None:
    say_run(trial)
    trial.advance(7 * DAY)
    assert trial.alert(subject="r1") is not None
    trial.advance(2 * HOUR)
    assert trial.alert(subject="r1") is None


def test_one_that_gives_way_to_newer_ones_takes_its_alert_with_it(trial: Trial) -> None:
    say_run(trial)
    trial.advance(HOUR)
    for number in range(PER_AGENT):
        say_run(trial, run_id=f"n{number}")
    assert trial.alert(subject="r1") is None


def test_one_wake_is_asked_for_however_many_runs_come_and_go(trial: Trial) -> None:
    for number in range(1_000):
        say_run(trial, run_id=f"r{number}")
        say_run(trial, "completed", run_id=f"r{number}")
    assert trial.pending_wakes == 1


def test_after_a_restart_too_what_its_agent_does_counts_for_the_newest_run(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.restart(ZombieRun([run_of(trial, "new", 10 * MINUTE), run_of(trial, "old", 20 * MINUTE)]))
    for _ in range(3):
        trial.advance(10 * MINUTE)
        trial.say("tool_call")
    assert trial.alert(subject="new") is None
    assert trial.alert(subject="old") is not None


def test_what_was_done_before_a_restart_counts_by_its_own_time(trial: Trial) -> None:
    say_run(trial)
    trial.advance(20 * MINUTE)
    trial.say("tool_call")
    trial.advance(20 * MINUTE)
    trial.restart(ZombieRun([run_of(trial, "r1", 40 * MINUTE)]))
    trial.advance(9 * MINUTE)
    assert trial.alert(subject="r1") is None
    trial.advance(2 * MINUTE)
    assert trial.alert(subject="r1") is not None


def test_what_the_daemon_missed_while_it_was_away_does_not_count(trial: Trial) -> None:
    say_run(trial)
    run = run_of(trial, "r1", 0)
    trial.restart(ZombieRun([run]), downtime=2 * HOUR)
    assert trial.verdicts == []


def test_one_that_was_told_of_an_idle_agent_before_a_restart_ends_with_its_run(trial: Trial) -> None:
    say_run(trial)
    trial.say("status_change", activity=Activity.IDLE, turn=Turn.CLOSED)
    trial.advance(5 * MINUTE)
    assert trial.alert(subject="r1") is not None
    trial.restart(ZombieRun([run_of(trial, "r1", 5 * MINUTE)], {AGENT: {"r1"}}))
    assert trial.alert(subject="r1") is not None
    say_run(trial, "completed")
    assert trial.alert(subject="r1") is None


def test_one_from_before_the_start_ends_where_more_is_allowed_now(trial: Trial) -> None:
    say_run(trial)
    trial.advance(HOUR)
    trial.settings = ZombieRunSettings(after="2h")  # type: ignore[arg-type]
    trial.restart(ZombieRun([run_of(trial, "r1", HOUR)], {AGENT: {"r1"}}))
    assert trial.alert(subject="r1") is None
