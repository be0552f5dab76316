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
from clawatch.domain.journal import ControlChanged
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
