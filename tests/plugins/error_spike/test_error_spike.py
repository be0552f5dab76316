"""Error spikes: the fourth error within a minute, by the time at which it happened."""

from __future__ import annotations

import pytest
from clawatch_plugins.error_spike import ErrorSpikeSettings, ToolFailures, register_rules
from clawatch_plugins.error_spike.rule import TOOLS, ErrorSpike

from clawatch.domain.alerts import Severity
from clawatch.domain.events import Origin, Phase, Tool
from clawatch.domain.journal import Removed
from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.settings import settings_from_file
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(ErrorSpike(), ErrorSpikeSettings())


def errors(trial: Trial, count: int, every: int = 0, **fields: object) -> None:
    for i in range(count):
        trial.say("error", error="it broke", **fields)
        if i < count - 1:
            trial.advance(every)


def failures(trial: Trial, count: int, name: str = "Bash") -> None:
    for _ in range(count):
        trial.say("tool_call", tool=Tool(name=name, ok=False), error="exit 2")


def test_the_fourth_error_within_a_minute_fires(trial: Trial) -> None:
    """CW-52"""
    errors(trial, 3)
    assert trial.verdicts == []
    errors(trial, 1)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.severity is Severity.CRITICAL
    assert verdict.message == "4 errors within 1 minute, last: it broke"
    assert verdict.evidence["count"] == 4


def test_four_errors_spread_over_exactly_a_minute_fire(trial: Trial) -> None:
    errors(trial, 4, every=20 * SECOND)
    assert trial.alert() is not None


def test_four_errors_spread_over_more_than_a_minute_do_not(trial: Trial) -> None:
    """CW-53"""
    errors(trial, 3, every=20 * SECOND)
    trial.advance(20 * SECOND + 1)
    errors(trial, 1)
    assert trial.verdicts == []


def test_the_window_slides_rather_than_being_cut_at_the_minute(trial: Trial) -> None:
    """CW-53"""
    trial.advance(50 * SECOND)
    errors(trial, 2)
    trial.advance(20 * SECOND)
    errors(trial, 2)
    assert trial.alert() is not None


def test_two_agents_with_two_errors_each_do_not_fire(trial: Trial) -> None:
    """CW-53"""
    errors(trial, 2, agent_id="a")
    errors(trial, 2, agent_id="b")
    assert trial.verdicts == []


def test_errors_count_by_when_they_happened_not_by_when_they_came(trial: Trial) -> None:
    for ago in (0, 3 * MINUTE, 6 * MINUTE, 9 * MINUTE):
        trial.say("error", error="x", ago=ago)
    assert trial.verdicts == []


def test_errors_that_come_out_of_order_are_put_in_order(trial: Trial) -> None:
    for ago in (10 * SECOND, 40 * SECOND, 0, 25 * SECOND):
        trial.say("error", error="x", ago=ago)
    assert trial.alert() is not None


def test_it_fires_once_and_is_restated_only_as_it_doubles(trial: Trial) -> None:
    errors(trial, 40)
    assert [v.evidence["count"] for v in trial.verdicts] == [4, 8, 16]


def test_it_resolves_when_it_has_been_below_for_a_minute(trial: Trial) -> None:
    errors(trial, 4)
    trial.advance(2 * MINUTE)
    assert trial.alert() is not None, "the window is full for a minute, then a minute passes below"
    trial.advance(1)
    assert trial.alert() is None


def test_further_errors_put_the_end_off(trial: Trial) -> None:
    errors(trial, 4)
    for _ in range(10):
        trial.advance(15 * SECOND)
        errors(trial, 1)
    trial.advance(MINUTE)
    assert trial.alert() is not None
    trial.advance(MINUTE)
    assert trial.alert() is None
    assert len([v for v in trial.verdicts if v.severity is None]) == 1


def test_a_new_spike_after_the_end_is_a_new_one(trial: Trial) -> None:
    for _ in range(2):
        errors(trial, 4)
        trial.advance(5 * MINUTE)
    assert [v.severity for v in trial.verdicts] == ["critical", None, "critical", None]


def test_a_jump_of_the_wall_clock_does_not_keep_it_firing(trial: Trial) -> None:
    errors(trial, 4)
    trial.clock.jump(-HOUR)
    trial.advance(2 * MINUTE + 1)
    assert trial.alert() is None


class TestFailedTools:
    def test_have_a_threshold_of_their_own(self, trial: Trial) -> None:
        failures(trial, 10)
        assert trial.verdicts == []
        failures(trial, 1)
        assert trial.alert() is None, "they are no errors"
        verdict = trial.alert(subject=TOOLS)
        assert verdict is not None
        assert verdict.message == "11 failed tool calls within 1 minute, last: Bash — exit 2"

    def test_do_not_add_to_errors(self, trial: Trial) -> None:
        errors(trial, 3)
        failures(trial, 5)
        assert trial.verdicts == []

    def test_count_when_a_later_report_says_that_they_failed(self, trial: Trial) -> None:
        for i in range(11):
            report = {"call_id": f"c{i}", "session_id": "s", "phase": Phase.END}
            trial.say("tool_call", tool=Tool(name="Bash"), **report)
            trial.say("tool_call", tool=Tool(name="Bash", ok=False), **report)
            trial.say("tool_call", tool=Tool(name="Bash", ok=False, args_size=3), **report)
        assert len(trial.verdicts) == 1
        assert trial.verdicts[0].evidence["count"] == 11

    def test_that_worked_do_not_count(self, trial: Trial) -> None:
        for _ in range(50):
            trial.say("tool_call", tool=Tool(name="Bash", ok=True))
        assert trial.verdicts == []


class TestOrigins:
    def test_the_past_never_fires(self, trial: Trial) -> None:
        errors(trial, 50, origin=Origin.HISTORY)
        assert trial.verdicts == []

    def test_spooled_errors_fire_by_their_own_time_and_never_brake(self, trial: Trial) -> None:
        for i in range(4):
            trial.say("error", error="x", ago=2 * HOUR - i, origin=Origin.LATE)
        verdict = trial.alert()
        assert verdict is not None
        assert not verdict.may_brake
        trial.advance(0)
        assert trial.alert() is None, "and are over long since"

    def test_a_duplicate_counts_once(self, trial: Trial) -> None:
        for _ in range(9):
            trial.say("error", id="same", error="x")
        assert trial.verdicts == []


class TestARestart:
    def test_remembers_the_errors_of_before(self, trial: Trial) -> None:
        errors(trial, 3)
        trial.restart(ErrorSpike(), downtime=10 * SECOND)
        assert trial.alert() is None
        errors(trial, 1)
        assert trial.alert() is not None

    def test_says_nothing_twice(self, trial: Trial) -> None:
        errors(trial, 5)
        trial.restart(ErrorSpike())
        errors(trial, 1)
        assert len([v for v in trial.verdicts if v.severity]) == 1

    def test_hears_what_was_stored_but_not_judged(self, trial: Trial) -> None:
        errors(trial, 3)
        trial.write("error", error="the last straw")
        trial.restart(ErrorSpike())
        assert trial.alert() is not None

    @pytest.mark.parametrize("downtime", [3 * MINUTE, 3 * HOUR])
    def test_resolves_what_ended_meanwhile(self, trial: Trial, downtime: int) -> None:
        errors(trial, 4)
        trial.restart(ErrorSpike(), downtime=downtime)
        assert trial.alert() is None

    def test_keeps_what_still_goes_on_and_ends_it_in_time(self, trial: Trial) -> None:
        errors(trial, 4)
        trial.restart(ErrorSpike(), downtime=90 * SECOND)
        assert trial.alert() is not None
        trial.advance(30 * SECOND + 1)
        assert trial.alert() is None


def test_each_agent_may_have_its_own_threshold() -> None:
    lenient = ErrorSpikeSettings(more_than=0, within=HOUR, tool_failures=ToolFailures(more_than=0))
    trial = Trial(ErrorSpike(), ErrorSpikeSettings(), overrides={"strict": lenient})
    errors(trial, 1, agent_id="strict")
    errors(trial, 1)
    verdict = trial.alert("strict")
    assert verdict is not None
    assert verdict.message == "1 error within 1 hour, last: it broke"
    assert trial.alert() is None


def test_a_removed_agent_is_forgotten(trial: Trial) -> None:
    errors(trial, 3)
    trial.edge(Removed(agent_id=AGENT, by="olga"))
    errors(trial, 3)
    assert trial.verdicts == []


def test_what_agents_write_is_cut_and_kept_on_one_line(trial: Trial) -> None:
    for _ in range(11):
        trial.say("tool_call", tool=Tool(name="*_`<b>\n" * 99, ok=False), error="\x1b[2J'; DROP TABLE\r\n" * 99)
    verdict = trial.alert(subject=TOOLS)
    assert verdict is not None
    assert verdict.message.isprintable()
    assert len(verdict.message) < 260


def test_it_is_registered_with_its_settings() -> None:
    (kind,) = register_rules()
    assert (kind.name, kind.alert_type) == ("error_spike", "error")
    written = {"more_than": 5, "within": "2m", "tool_failures": {"more_than": 20, "within": "5m"}}
    settings = settings_from_file(kind.settings, written)
    assert (settings.more_than, settings.within) == (5, 2 * MINUTE)
    assert (settings.tool_failures.more_than, settings.tool_failures.within) == (20, 5 * MINUTE)


async def test_it_opens_with_nothing_but_its_settings() -> None:
    (kind,) = register_rules()
    async with kind.open(ErrorSpikeSettings(), None) as rule:
        assert isinstance(rule, ErrorSpike)
