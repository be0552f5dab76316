"""Stuck: silence on the monotonic clock, for those who ought to speak."""

from __future__ import annotations

import pytest
from clawatch_plugins.stuck import StuckSettings, register_rules
from clawatch_plugins.stuck.rule import Stuck

from clawatch.domain.agents import Control
from clawatch.domain.alerts import Severity
from clawatch.domain.events import Activity, Origin, Phase, Signal, Tool, Turn
from clawatch.domain.journal import ControlChanged, Removed, Silenced
from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.settings import settings_from_file
from clawatch.testing.rules import AGENT, Trial

AFTER = 5 * MINUTE


@pytest.fixture
def trial() -> Trial:
    trial = Trial(Stuck(), StuckSettings())
    trial.advance(HOUR)  # the daemon has been up for a while
    return trial


def declare(trial: Trial) -> None:
    """What the engine does when a stuck alert fires."""
    assert trial.alert() is not None
    trial.edge(Silenced(agent_id=AGENT))


def test_an_agent_silent_for_more_than_five_minutes_is_stuck(trial: Trial) -> None:
    """CW-50"""
    trial.say("heartbeat")
    trial.advance(AFTER)
    assert trial.alert() is None, "exactly 5:00 is not yet"
    trial.advance(1)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.severity is Severity.CRITICAL
    assert verdict.message == "Agent stuck — no heartbeat for 5 minutes"
    assert not verdict.may_brake


def test_a_silent_agent_fires_once(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.advance(HOUR)
    assert len(trial.verdicts) == 1


def test_a_stuck_agent_that_beats_again_is_not_stuck(trial: Trial) -> None:
    """CW-51"""
    trial.say("heartbeat")
    trial.advance(AFTER + 1)
    declare(trial)
    trial.say("heartbeat")
    assert trial.alert() is None
    trial.advance(AFTER + 1)
    assert trial.alert() is not None, "and is watched again"


def test_every_heartbeat_moves_the_deadline_but_one_wake_is_enough(trial: Trial) -> None:
    for _ in range(100):
        trial.say("heartbeat")
        trial.advance(SECOND)
        assert trial.pending_wakes == 1
    trial.advance(AFTER - SECOND)
    assert trial.alert() is None
    trial.advance(1)
    assert trial.alert() is not None


@pytest.mark.parametrize("control", [Control.PAUSED, Control.STOPPED])
def test_a_paused_or_stopped_agent_is_never_stuck(trial: Trial, control: Control) -> None:
    """CW-51"""
    trial.say("heartbeat")
    trial.edge(ControlChanged(agent_id=AGENT, control=control, by="olga"))
    trial.advance(10 * HOUR)
    assert trial.verdicts == []


def test_an_agent_that_says_it_stopped_is_never_stuck(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.say("status_change", activity=Activity.STOPPED)
    trial.advance(HOUR)
    assert trial.verdicts == []


def test_pausing_a_stuck_agent_resolves_it(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.advance(AFTER + 1)
    declare(trial)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="olga"))
    assert trial.alert() is None


def test_a_resumed_agent_is_watched_from_the_resume(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="olga"))
    trial.advance(HOUR)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.RUN, by="olga"))
    trial.advance(AFTER)
    assert trial.alert() is None
    trial.advance(1)
    assert trial.alert() is not None


@pytest.mark.parametrize("jump", [-3 * HOUR, 3 * HOUR])
def test_a_jump_of_the_wall_clock_neither_fires_nor_hides(trial: Trial, jump: int) -> None:
    trial.say("heartbeat")
    trial.advance(MINUTE)
    trial.clock.jump(jump)
    trial.advance(4 * MINUTE)
    assert trial.alert() is None
    trial.advance(1)
    assert trial.alert() is not None


@pytest.mark.parametrize("jump", [-3 * HOUR, 3 * HOUR])
def test_signs_of_life_after_a_jump_count(trial: Trial, jump: int) -> None:
    trial.say("heartbeat")
    trial.clock.jump(jump)
    for _ in range(10):
        trial.advance(MINUTE)
        trial.say("heartbeat")
    assert trial.verdicts == []


def test_a_sign_from_before_a_jump_back_can_be_followed_by_silence(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.clock.jump(-HOUR)
    trial.say("heartbeat")
    trial.advance(AFTER + 1)
    assert trial.alert() is not None


def test_old_and_spooled_events_are_no_signs_of_life(trial: Trial) -> None:
    """CW-64"""
    trial.say("heartbeat")
    trial.advance(4 * MINUTE)
    trial.say("heartbeat", ago=2 * HOUR)
    trial.say("heartbeat", origin=Origin.LATE)
    trial.say("cost", origin=Origin.HISTORY)
    trial.advance(MINUTE + 1)
    assert trial.alert() is not None


def test_an_agent_known_from_the_past_only_is_not_watched(trial: Trial) -> None:
    trial.say("cost", origin=Origin.HISTORY, ago=HOUR)
    trial.say("error", agent_id="spooled", origin=Origin.LATE, ago=HOUR)
    trial.advance(HOUR)
    assert trial.verdicts == []


def test_each_agent_may_be_allowed_its_own_silence() -> None:
    trial = Trial(Stuck(), StuckSettings(), overrides={"build": StuckSettings(after=30 * MINUTE)})
    trial.say("heartbeat", agent_id="build")
    trial.advance(30 * MINUTE)
    assert trial.verdicts == []
    trial.advance(1)
    verdict = trial.alert("build")
    assert verdict is not None
    assert verdict.message == "Agent stuck — no heartbeat for 30 minutes"


class TestAgentsThatWorkInTurns:
    def test_are_idle_between_turns(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        trial.say("message", turn=Turn.CLOSED)
        trial.advance(HOUR)
        assert trial.verdicts == []

    def test_are_stuck_when_an_open_turn_makes_no_progress_though_they_live(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        for _ in range(31):
            trial.advance(10 * SECOND)
            trial.say("heartbeat", is_progress=False, signal=Signal.METRIC)
        verdict = trial.alert()
        assert verdict is not None
        assert verdict.message == "Agent stuck — no progress for 5 minutes"

    def test_are_not_stuck_while_an_open_turn_goes_on(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        for _ in range(10):
            trial.advance(4 * MINUTE)
            trial.say("tool_call")
        assert trial.verdicts == []

    def test_are_never_stuck_while_they_wait_for_a_human(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        trial.say("message", turn=Turn.WAITING)
        trial.advance(HOUR)
        assert trial.verdicts == []

    def test_a_stuck_turn_that_ends_resolves(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        trial.advance(AFTER + 1)
        declare(trial)
        trial.say("message", turn=Turn.CLOSED)
        assert trial.alert() is None

    def test_the_deadline_of_a_new_turn_counts_from_its_opening(self, trial: Trial) -> None:
        trial.say("message", turn=Turn.OPEN)
        trial.say("message", turn=Turn.CLOSED)
        trial.advance(HOUR)
        trial.say("message", turn=Turn.OPEN)
        trial.advance(AFTER)
        assert trial.verdicts == []
        trial.advance(1)
        assert trial.alert() is not None


class TestWrappedAgents:
    def test_are_stuck_when_they_make_no_progress_though_the_wrapper_lives(self, trial: Trial) -> None:
        trial.say("heartbeat")
        for _ in range(31):
            trial.advance(10 * SECOND)
            trial.say("heartbeat", is_progress=False)
        verdict = trial.alert()
        assert verdict is not None
        assert "no progress" in verdict.message

    def test_a_report_without_progress_does_not_resolve_it(self, trial: Trial) -> None:
        trial.say("heartbeat", is_progress=False)
        trial.advance(AFTER + 1)
        declare(trial)
        trial.say("heartbeat", is_progress=False)
        assert trial.alert() is not None
        trial.say("heartbeat")
        assert trial.alert() is None


def test_an_unchanged_metric_is_a_sign_of_life_of_an_agent_without_turns(trial: Trial) -> None:
    trial.say("cost")
    for _ in range(20):
        trial.advance(MINUTE)
        trial.say("heartbeat", is_progress=False, signal=Signal.METRIC)
    assert trial.verdicts == []


class TestARestart:
    def test_does_not_hide_silence_from_before(self, trial: Trial) -> None:
        trial.say("heartbeat")
        trial.advance(4 * MINUTE)
        trial.restart(Stuck())
        trial.advance(MINUTE)
        assert trial.alert() is None
        trial.advance(1)
        assert trial.alert() is not None

    def test_counts_no_downtime(self, trial: Trial) -> None:
        trial.say("heartbeat")
        trial.advance(2 * MINUTE)
        trial.restart(Stuck(), downtime=10 * HOUR)
        trial.advance(3 * MINUTE)
        assert trial.alert() is None
        trial.advance(1)
        assert trial.alert() is not None

    def test_counts_none_of_several_absences(self, trial: Trial) -> None:
        trial.say("heartbeat")
        for _ in range(3):
            trial.advance(MINUTE)
            trial.restart(Stuck(), downtime=HOUR)
        trial.advance(2 * MINUTE)
        assert trial.alert() is None
        trial.advance(1)
        assert trial.alert() is not None

    def test_gives_everybody_a_minute(self, trial: Trial) -> None:
        trial.say("heartbeat")
        trial.advance(AFTER - SECOND)
        trial.restart(Stuck())
        trial.advance(MINUTE - 1)
        assert trial.alert() is None
        trial.advance(1)
        assert trial.alert() is not None

    def test_gives_no_more_than_the_allowed_silence(self) -> None:
        trial = Trial(Stuck(), StuckSettings(after=10 * SECOND))
        trial.say("heartbeat")
        trial.advance(9 * SECOND)
        trial.restart(Stuck())
        trial.advance(10 * SECOND - 1)
        assert trial.alert() is None
        trial.advance(1)
        assert trial.alert() is not None

    def test_keeps_a_stuck_agent_stuck_until_a_sign_of_life(self, trial: Trial) -> None:
        trial.say("heartbeat")
        trial.advance(AFTER + 1)
        declare(trial)
        trial.restart(Stuck(), downtime=HOUR)
        trial.advance(HOUR)
        assert len(trial.verdicts) == 1, "neither resolved nor said again"
        trial.say("heartbeat")
        assert trial.alert() is None

    def test_resolves_what_came_back_just_before_the_crash(self, trial: Trial) -> None:
        trial.say("heartbeat")
        trial.advance(AFTER + 1)
        declare(trial)
        trial.write("heartbeat")
        trial.restart(Stuck())
        assert trial.alert() is None

    def test_warms_up_without_asking_for_a_wake_per_event(self, trial: Trial) -> None:
        for _ in range(50):
            trial.say("heartbeat")
            trial.advance(MINUTE)
        trial.restart(Stuck())
        assert trial.pending_wakes <= 2
        trial.advance(AFTER)
        assert len([v for v in trial.verdicts if v.severity]) == 1


def test_a_removed_agent_is_forgotten(trial: Trial) -> None:
    trial.say("heartbeat")
    trial.edge(Removed(agent_id=AGENT, by="olga"))
    trial.advance(HOUR)
    assert trial.verdicts == []
    trial.say("heartbeat")
    trial.advance(AFTER + 1)
    assert trial.alert() is not None


def test_what_it_was_doing_is_told_on_one_short_line(trial: Trial) -> None:
    trial.say("message", turn=Turn.OPEN)
    trial.say("tool_call", phase=Phase.START, tool=Tool(name="rm -rf\n\x1b[31m" + "z" * 500))
    trial.advance(AFTER + 1)
    verdict = trial.alert()
    assert verdict is not None
    assert len(verdict.message) < 120
    assert verdict.message.isprintable()


def test_it_is_registered_as_stuck_with_its_setting() -> None:
    (kind,) = register_rules()
    assert (kind.name, kind.alert_type) == ("stuck", "stuck")
    settings = settings_from_file(kind.settings, {"after": "30m", "for": "10s"})
    assert (settings.after, settings.for_) == (30 * MINUTE, 10 * SECOND)


async def test_it_opens_with_nothing_but_its_settings() -> None:
    (kind,) = register_rules()
    async with kind.open(StuckSettings(), None) as rule:
        assert isinstance(rule, Stuck)
