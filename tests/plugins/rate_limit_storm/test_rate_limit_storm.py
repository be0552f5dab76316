"""Rate-limit storms: refusal after refusal, and no call between them that worked."""

from __future__ import annotations

import pytest
from clawatch_plugins.rate_limit_storm import RateLimitStormSettings
from clawatch_plugins.rate_limit_storm.rule import RateLimitStorm

from clawatch.domain.events import Origin, Usage
from clawatch.domain.time import MINUTE, SECOND
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(RateLimitStorm(), RateLimitStormSettings())


def refuse(trial: Trial, times: int = 1, said: str = "429 rate_limit_error", every: int = 30 * SECOND) -> None:
    for _ in range(times):
        trial.say("error", error=said)
        trial.advance(every)


def test_the_fifth_refusal_within_ten_minutes_fires(trial: Trial) -> None:
    refuse(trial, 4)
    assert trial.verdicts == []
    refuse(trial)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.message == (
        "Rate-limit storm — 5 refusals within 10 minutes and no call that worked, last: 429 rate_limit_error"
    )


@pytest.mark.parametrize(
    "said", [
        "HTTP 429", "Too Many Requests", "529 overloaded_error", "Overloaded", "Rate limit reached for gpt-x",
        "RESOURCE_EXHAUSTED: quota", "You exceeded your current quota exceeded", "rate-limited? rate-limit",
    ],
)  # fmt: skip
def test_providers_say_it_in_their_own_words(trial: Trial, said: str) -> None:
    refuse(trial, 5, said)
    assert trial.alert() is not None


@pytest.mark.parametrize("said", ["exit 1", "file 4290.txt not found", "", "timeout"])
def test_other_errors_are_none_of_it(trial: Trial, said: str) -> None:
    refuse(trial, 9, said)
    assert trial.verdicts == []


def test_a_status_code_in_the_data_says_it_too(trial: Trial) -> None:
    for _ in range(5):
        trial.say("error", error="request failed", data={"statusCode": 429})
    assert trial.alert() is not None


def test_a_call_that_works_ends_it_and_begins_the_count_anew(trial: Trial) -> None:
    refuse(trial, 5)
    trial.say("cost", usage=Usage(model="m", input=10, output=1))
    assert trial.alert() is None
    refuse(trial, 4)
    assert trial.alert() is None


def test_it_is_over_when_nothing_more_comes(trial: Trial) -> None:
    refuse(trial, 5, every=SECOND)
    trial.advance(10 * MINUTE)
    assert trial.alert() is None


def test_it_is_told_again_only_when_it_has_doubled(trial: Trial) -> None:
    refuse(trial, 19, every=SECOND)
    assert [verdict.evidence["count"] for verdict in trial.verdicts] == [5, 10]


def test_however_often_it_comes_and_goes_one_wake_is_asked_for(trial: Trial) -> None:
    for _ in range(50):
        refuse(trial, 5, every=0)
        trial.say("cost", usage=Usage(model="m", input=10, output=1))
    assert trial.pending_wakes == 1


def test_the_past_counts_nothing(trial: Trial) -> None:
    for _ in range(9):
        trial.say("error", error="429", origin=Origin.HISTORY)
    assert trial.verdicts == []


def test_what_comes_after_a_call_that_worked_is_not_forgotten_when_the_old_storm_would_have_ended(trial: Trial) -> None:
    refuse(trial, 5, every=0)
    trial.say("cost", usage=Usage(model="m", input=10, output=1))
    trial.advance(9 * MINUTE)
    refuse(trial, 4, every=0)
    trial.advance(MINUTE)
    refuse(trial, 1)
    assert trial.alert() is not None


def test_a_storm_that_was_over_before_the_daemon_restarted_may_begin_anew(trial: Trial) -> None:
    refuse(trial, 5, every=0)
    trial.advance(30 * MINUTE)
    assert trial.alert() is None
    trial.restart(RateLimitStorm())
    refuse(trial, 5)
    assert trial.alert() is not None


def test_a_storm_from_before_the_daemon_restarted_ends_in_its_time(trial: Trial) -> None:
    refuse(trial, 5, every=0)
    trial.advance(9 * MINUTE)
    trial.restart(RateLimitStorm([AGENT]))
    assert trial.alert() is not None
    trial.advance(MINUTE)
    assert trial.alert() is None


def test_a_storm_from_before_the_daemon_restarted_ends_with_a_call_that_works(trial: Trial) -> None:
    refuse(trial, 5, every=0)
    trial.restart(RateLimitStorm([AGENT]))
    trial.say("cost", usage=Usage(model="m", input=10, output=1))
    assert trial.alert() is None
