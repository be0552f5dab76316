"""Zombie runs: said to be running, and nobody works on them."""

from __future__ import annotations

import pytest
from clawatch_plugins.zombie_run import ZombieRunSettings
from clawatch_plugins.zombie_run.rule import ZombieRun

from clawatch.domain.events import Activity, RunReport, Turn
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
