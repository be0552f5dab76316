"""Unpriced usage: a cost that is missing from every sum is said, not shown as nothing."""

from __future__ import annotations

import pytest
from clawatch_plugins.unpriced import UnpricedSettings
from clawatch_plugins.unpriced.rule import Unpriced

from clawatch.domain.alerts import Severity
from clawatch.domain.events import Origin, Usage
from clawatch.domain.time import DAY
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(Unpriced(), UnpricedSettings())


def use(trial: Trial, tokens: int, model: str = "local-7b", cost: int | None = None, **fields: object) -> None:
    trial.say("cost", usage=Usage(model=model, input=tokens, cost=cost), **fields)


def test_ten_thousand_tokens_without_a_price_are_told_once_per_model(trial: Trial) -> None:
    use(trial, 9_999)
    assert trial.verdicts == []
    use(trial, 1)
    use(trial, 10_000, "other")
    verdict = trial.alert(subject="local-7b")
    assert verdict is not None
    assert verdict.severity is Severity.INFO
    assert verdict.message == (
        "Unpriced usage — 10,000 tokens of local-7b, whose price is not known; their cost is missing from every sum"
    )
    assert trial.alert(subject="other") is not None


def test_it_is_over_once_the_model_is_priced(trial: Trial) -> None:
    use(trial, 20_000)
    use(trial, 5, cost=7)
    assert trial.alert(subject="local-7b") is None


def test_it_is_over_when_none_of_it_comes_for_a_day(trial: Trial) -> None:
    use(trial, 20_000)
    trial.advance(DAY - 1)
    assert trial.alert(subject="local-7b") is not None
    trial.advance(1)
    assert trial.alert(subject="local-7b") is None


def test_it_is_told_again_at_ten_times_as_much(trial: Trial) -> None:
    for _ in range(100):
        use(trial, 10_000)
    assert [verdict.evidence["tokens"] for verdict in trial.verdicts] == [10_000, 100_000, 1_000_000]
    assert trial.pending_wakes == 1


def test_what_was_read_from_the_past_is_not_told(trial: Trial) -> None:
    use(trial, 50_000, origin=Origin.HISTORY)
    assert trial.verdicts == []


def test_a_sender_of_ever_new_models_fills_no_memory(trial: Trial) -> None:
    for number in range(100):
        use(trial, 50_000, f"model-{number}")
    assert len(trial.verdicts) == 32


def test_an_alert_from_before_the_start_goes_on_until_the_model_is_priced(trial: Trial) -> None:
    use(trial, 20_000)
    trial.restart(Unpriced({AGENT: {"local-7b"}}))
    assert trial.alert(subject="local-7b") is not None
    use(trial, 5, cost=7)
    assert trial.alert(subject="local-7b") is None


def test_what_is_not_open_after_a_restart_is_told_of_its_next_use(trial: Trial) -> None:
    use(trial, 20_000)
    trial.restart(Unpriced())
    use(trial, 1)
    assert [verdict.evidence["tokens"] for verdict in trial.verdicts] == [20_000, 20_001]


def test_tokens_that_a_better_signal_takes_back_are_not_missing(trial: Trial) -> None:
    use(trial, 20_000, session_id="s", rank=1)
    assert trial.alert(subject="local-7b") is not None
    use(trial, 20_000, model="priced", cost=5, session_id="s", rank=2)
    assert trial.alert(subject="local-7b") is None


def test_other_settings_of_an_agent_hold_for_it_alone(trial: Trial) -> None:
    trial.overrides["b"] = UnpricedSettings(tokens=100)
    for agent_id in ("a", "b"):
        trial.say("cost", agent_id, usage=Usage(model="m", input=100))
    assert trial.alert("a", "m") is None
    assert trial.alert("b", "m") is not None
