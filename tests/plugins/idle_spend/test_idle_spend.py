"""Idle spend: money that nobody has asked to be spent."""

from __future__ import annotations

import pytest
from clawatch_plugins.idle_spend import IdleSpendSettings
from clawatch_plugins.idle_spend.rule import IdleSpend

from clawatch.domain.events import Origin, Turn, Usage
from clawatch.domain.money import nanos
from clawatch.domain.time import HOUR
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(IdleSpend(), IdleSpendSettings())


def ask(trial: Trial, **data: object) -> None:
    trial.say("message", data={"role": "user", **data}, turn=Turn.OPEN)


def spend(trial: Trial, usd: float, **fields: object) -> None:
    trial.say("cost", usage=Usage(model="m", cost=nanos(usd), input=1), **fields)


def test_a_dollar_spent_half_a_day_after_the_last_question_is_told(trial: Trial) -> None:
    ask(trial)
    trial.advance(6 * HOUR)
    spend(trial, 0.60)
    trial.advance(6 * HOUR)
    assert trial.verdicts == []
    spend(trial, 0.50)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.message == "Idle spend — $1.10 since anybody last asked it something, 12 hours ago"


def test_less_than_that_or_sooner_is_not(trial: Trial) -> None:
    ask(trial)
    spend(trial, 50)
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 0.99)
    assert trial.verdicts == []


def test_a_question_ends_it(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 2)
    ask(trial)
    assert trial.alert() is None


@pytest.mark.parametrize("trigger", ["heartbeat", "cron"])
def test_what_a_schedule_says_is_no_question(trial: Trial, trigger: str) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    ask(trial, trigger=trigger)
    spend(trial, 2)
    assert trial.alert() is not None


def test_it_is_told_again_when_it_has_doubled(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    for _ in range(8):
        spend(trial, 1)
    assert [verdict.evidence["spentUsd"] for verdict in trial.verdicts] == [1, 2, 4, 8]


def test_an_agent_that_nobody_talks_to_is_left_to_its_cost_limits(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.advance(13 * HOUR)
    spend(trial, 5)
    assert trial.verdicts == []


def test_money_read_from_the_past_does_not_count(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 5, origin=Origin.HISTORY)
    assert trial.verdicts == []


def test_an_alert_from_before_the_start_ends_with_the_next_question(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 2)
    trial.restart(IdleSpend([AGENT]))
    ask(trial)
    assert trial.alert() is None


@pytest.mark.parametrize("role", [1, None, {"a": 1}, ["user"]])
def test_a_role_of_any_kind_is_taken(trial: Trial, role: object) -> None:
    trial.say("message", data={"role": role}, turn=Turn.OPEN)


def test_it_is_over_when_it_has_spent_nothing_for_as_long(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 2)
    trial.advance(HOUR)
    spend(trial, 0.10)
    trial.advance(12 * HOUR - 1)
    assert trial.alert() is not None
    trial.advance(1)
    assert trial.alert() is None


def test_an_alert_from_before_the_start_is_over_when_nothing_more_is_spent(trial: Trial) -> None:
    ask(trial)
    trial.advance(13 * HOUR)
    spend(trial, 2)
    trial.restart(IdleSpend([AGENT]))
    trial.advance(12 * HOUR - 1)
    assert trial.alert() is not None
    trial.advance(1)
    assert trial.alert() is None


def test_a_question_that_is_shown_again_at_the_start_leaves_what_is_open_to_the_next_one(trial: Trial) -> None:
    ask(trial)
    trial.restart(IdleSpend([AGENT]))
    ask(trial)
    assert trial.verdicts[-1].severity is None


def test_money_for_a_question_of_another_agent_is_its_own(trial: Trial) -> None:
    for agent_id in ("a", "b"):
        trial.say("message", agent_id, data={"role": "user"}, turn=Turn.OPEN)
    trial.advance(13 * HOUR)
    trial.say("message", "b", data={"role": "user"}, turn=Turn.OPEN)
    for agent_id in ("a", "b"):
        trial.say("cost", agent_id, usage=Usage(model="m", cost=nanos(2), input=1))
    assert trial.alert("a") is not None
    assert trial.alert("b") is None


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_neither_prolongs_nor_ends_it(trial: Trial, jump: int) -> None:
    ask(trial)
    trial.clock.jump(jump)
    trial.advance(12 * HOUR - 1)
    spend(trial, 2)
    assert trial.alert() is None
    trial.advance(1)
    spend(trial, 1)
    assert trial.alert() is not None
