"""Silence against a learned interval."""

from __future__ import annotations

from pathlib import Path

import pytest
from clawatch_plugins.silence import SilenceSettings
from clawatch_plugins.silence.past import read_rhythms
from clawatch_plugins.silence.rhythm import Rhythm
from clawatch_plugins.silence.rule import Silence
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.access import CORE
from clawatch.domain.agents import Control
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import ControlChanged, Silenced
from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock
from clawatch.testing.rules import AGENT, Trial


@pytest.fixture
def trial() -> Trial:
    return Trial(Silence(), SilenceSettings())


def work(trial: Trial, times: int, every: int = 30 * MINUTE) -> None:
    """Short bursts, the last of them just now."""
    for number in range(times):
        if number:
            trial.advance(every)
        trial.say("tool_call")


def test_after_one_and_a_half_usual_intervals_without_work_it_is_silent(trial: Trial) -> None:
    work(trial, 8)
    trial.advance(45 * MINUTE)
    assert trial.alert() is None
    trial.advance(1)
    verdict = trial.alert()
    assert verdict is not None
    assert verdict.message == "Silence — it usually works every 30 minutes, and has not for 45 minutes"


def test_its_next_work_resolves_it(trial: Trial) -> None:
    work(trial, 8)
    trial.advance(HOUR)
    trial.say("tool_call")
    assert trial.alert() is None


def test_who_works_whenever_asked_has_no_rhythm(trial: Trial) -> None:
    for minutes in (7, 95, 20, 240, 11, 33, 400, 5, 61, 150):
        trial.say("tool_call")
        trial.advance(minutes * MINUTE)
    trial.advance(DAY)
    assert trial.verdicts == []


def test_a_few_bursts_are_no_rhythm_yet(trial: Trial) -> None:
    work(trial, 5)
    trial.advance(DAY)
    assert trial.verdicts == []


def test_short_intervals_are_left_to_stuck(trial: Trial) -> None:
    work(trial, 20, every=5 * MINUTE)
    trial.advance(DAY)
    assert trial.verdicts == []


def test_heartbeats_are_no_work(trial: Trial) -> None:
    work(trial, 8)
    for _ in range(10):
        trial.advance(10 * MINUTE)
        trial.say("heartbeat")
    assert trial.alert() is not None


def test_a_paused_agent_is_silent_on_purpose(trial: Trial) -> None:
    work(trial, 8)
    trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="ops"))
    trial.advance(DAY)
    assert trial.alert() is None


def test_sessions_that_end_for_good_are_not_missed(trial: Trial) -> None:
    from clawatch.domain.events import Facts

    for _ in range(8):
        trial.say("tool_call", facts=Facts(kind="claude-code"))
        trial.advance(30 * MINUTE)
    trial.advance(DAY)
    assert trial.verdicts == []


def hold(trial: Trial, control: Control) -> None:
    trial.edge(ControlChanged(agent_id=AGENT, control=control, by="ops"))


@pytest.mark.parametrize("control", [Control.PAUSED, Control.STOPPED])
def test_putting_the_agent_aside_ends_it(trial: Trial, control: Control) -> None:
    work(trial, 8)
    trial.advance(HOUR)
    hold(trial, control)
    assert trial.alert() is None


def test_one_that_was_put_aside_is_missed_again_once_it_works_again(trial: Trial) -> None:
    work(trial, 8)
    hold(trial, Control.PAUSED)
    trial.advance(HOUR)
    hold(trial, Control.RUN)
    trial.advance(DAY)
    assert trial.alert() is None
    work(trial, 3)
    trial.advance(HOUR)
    assert trial.alert() is not None


def test_one_that_was_stuck_meanwhile_is_still_missed(trial: Trial) -> None:
    work(trial, 8)
    trial.edge(Silenced(agent_id=AGENT))
    trial.advance(50 * MINUTE)
    assert trial.alert() is None
    trial.say("heartbeat")
    trial.advance(10 * MINUTE)
    assert trial.alert() is not None


def test_what_the_daemon_was_away_for_is_not_held_against_anybody(trial: Trial) -> None:
    work(trial, 8)
    rhythm = Rhythm()
    for number in range(8):
        rhythm.work(trial.now.wall - (7 - number) * 30 * MINUTE)
    rhythm.shift(5_000_000 - trial.now.wall - 5 * HOUR)  # as ``read_rhythms`` finds it after those five hours
    trial.restart(Silence({AGENT: rhythm}), downtime=5 * HOUR)
    assert trial.verdicts == []
    trial.advance(45 * MINUTE + 1)
    assert trial.alert() is not None


def test_an_alert_from_before_the_start_ends_with_the_next_work(trial: Trial) -> None:
    work(trial, 8)
    trial.advance(HOUR)
    trial.restart(Silence(told=[AGENT]))
    assert trial.alert() is not None
    trial.say("tool_call")
    assert trial.alert() is None


def test_an_alert_from_before_the_start_ends_where_its_agent_was_put_aside_meanwhile(trial: Trial) -> None:
    work(trial, 8)
    trial.advance(HOUR)
    rule = trial.rule
    trial.rule = Silence()
    hold(trial, Control.STOPPED)
    trial.rule = rule
    trial.restart(Silence(told=[AGENT]))
    assert trial.alert() is None


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_is_set_changes_no_deadline(trial: Trial, jump: int) -> None:
    work(trial, 8)
    trial.clock.jump(jump)
    trial.advance(45 * MINUTE)
    assert trial.alert() is None
    trial.advance(1)
    assert trial.alert() is not None


@given(st.lists(st.integers(0, 10 * DAY), max_size=60))
def test_an_interval_is_never_longer_than_the_time_it_was_learned_in(times: list[int]) -> None:
    rhythm = Rhythm()
    for at in sorted(times):
        rhythm.work(at)
    assert rhythm.interval is None or 0 < rhythm.interval <= max(times) - min(times)


async def test_the_rhythm_of_the_last_days_is_read_from_the_store(tmp_path: Path) -> None:
    clock = FakeClock()
    async with run_app(tmp_path, clock=clock) as app:
        for _ in range(10):
            now = clock.now().wall
            await app.daemon.core.ingest.accept(
                [Event(agent_id="cron", type=EventType.TOOL_CALL, at=now)], CORE
            )
            clock.advance(6 * HOUR)
        rhythm = (await read_rhythms(app.daemon.core.queries, clock.now()))["cron"]
        assert rhythm.interval == 6 * HOUR
        assert rhythm.worked_at is not None
        assert abs(clock.now().mono - rhythm.worked_at - 6 * HOUR) <= 5 * MINUTE


async def test_work_that_lasts_is_one_burst_in_the_store_too(tmp_path: Path) -> None:
    clock = FakeClock()
    async with run_app(tmp_path, clock=clock) as app:
        for _ in range(8):
            for _ in range(10):
                event = Event(agent_id="cron", type=EventType.TOOL_CALL, at=clock.now().wall)
                await app.daemon.core.ingest.accept([event], CORE)
                clock.advance(2 * MINUTE)
            clock.advance(40 * MINUTE)
        rhythm = (await read_rhythms(app.daemon.core.queries, clock.now()))["cron"]
        assert rhythm.interval == HOUR
