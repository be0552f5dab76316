"""What holds for every rule that watches by windows and deadlines: no alert of it fires for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from clawatch_plugins.crash_loop import CrashLoopSettings
from clawatch_plugins.crash_loop.rule import CrashLoop
from clawatch_plugins.idle_spend import IdleSpendSettings
from clawatch_plugins.idle_spend.rule import IdleSpend
from clawatch_plugins.rate_limit_storm import RateLimitStormSettings
from clawatch_plugins.rate_limit_storm.rule import RateLimitStorm
from clawatch_plugins.silence import SilenceSettings
from clawatch_plugins.silence.rhythm import Rhythm
from clawatch_plugins.silence.rule import Silence
from clawatch_plugins.stalled_turn import StalledTurnSettings
from clawatch_plugins.stalled_turn.rule import StalledTurn
from clawatch_plugins.unpriced import UnpricedSettings
from clawatch_plugins.unpriced.rule import Unpriced
from clawatch_plugins.zombie_run import ZombieRunSettings
from clawatch_plugins.zombie_run.rule import ZombieRun
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.agents import Control
from clawatch.domain.events import Activity, Origin, Phase, RunReport, Tool, Turn, Usage
from clawatch.domain.journal import ControlChanged
from clawatch.domain.runs import RunStatus
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.ports import Rule
from clawatch.settings import RuleSettings
from clawatch.testing.clock import FakeClock
from clawatch.testing.rules import Trial

AGENTS = ("a", "b")
SESSIONS = (None, "s", "t")


def subjects(trial: Trial) -> dict[str, set[str]]:
    """What is open, as a rule's factory reads it."""
    found: dict[str, set[str]] = {}
    for agent_id, subject in trial.firing:
        found.setdefault(agent_id, set()).add(subject)
    return found


def zombie_run(trial: Trial) -> Rule:
    running = [run for run in trial.books.runs.values() if run.status is RunStatus.RUNNING]
    return ZombieRun(running[::-1], subjects(trial))


def silence(told: Iterable[str], now: int) -> Rule:
    """Both agents have worked every half hour until now."""
    rhythms = {agent_id: Rhythm() for agent_id in AGENTS}
    for rhythm in rhythms.values():
        for number in range(8):
            rhythm.work(now - (8 - number) * 30 * MINUTE)
    return Silence(rhythms, told)


@dataclass(frozen=True)
class Detector:
    fresh: Callable[[], Rule]
    reopened: Callable[[Trial], Rule]
    settings: RuleSettings
    hears: tuple[dict[str, Any], ...]
    """What it listens to."""


STARTS = {"type": "status_change", "activity": Activity.RUNNING}
STOPS = {"type": "status_change", "activity": Activity.STOPPED}
RESTS = {"type": "status_change", "activity": Activity.IDLE}
FAILS = {"type": "error", "error": "429"}
ASKED = {"type": "message", "turn": Turn.OPEN, "data": {"role": "user"}}
ANSWERS = {"type": "message", "turn": Turn.CLOSED}
BEGINS = {"type": "tool_call", "phase": Phase.START, "tool": Tool(name="make")}
WORKS = {"type": "tool_call"}
SPENDS = {"type": "cost", "usage": Usage(model="m", input=10, cost=2_000_000_000)}
USES = {"type": "cost", "usage": Usage(model="m", input=10)}
SPOOLED = {**FAILS, "origin": Origin.LATE}
RUNS = tuple(
    {"type": "run", "run": RunReport(run_id=run_id, status=status)}
    for run_id, status in (("r", "running"), ("q", "running"), ("r", "completed"))
)

DETECTORS = {
    "crash_loop": Detector(
        CrashLoop, lambda t: CrashLoop(subjects(t)), CrashLoopSettings(restarts=2), (STARTS, STARTS, STOPS, FAILS)
    ),
    "rate_limit_storm": Detector(
        RateLimitStorm, lambda t: RateLimitStorm(subjects(t)), RateLimitStormSettings(refusals=3),
        (FAILS, FAILS, SPOOLED, SPENDS),
    ),
    "zombie_run": Detector(ZombieRun, zombie_run, ZombieRunSettings(), (*RUNS, WORKS, STARTS, RESTS, ASKED, ANSWERS)),
    "stalled_turn": Detector(
        StalledTurn, lambda t: StalledTurn(subjects(t)), StalledTurnSettings(), (ASKED, ANSWERS, BEGINS, WORKS)
    ),
    "idle_spend": Detector(
        IdleSpend, lambda t: IdleSpend(subjects(t)), IdleSpendSettings(after=HOUR), (ASKED, SPENDS, SPENDS)
    ),
    "unpriced": Detector(Unpriced, lambda t: Unpriced(subjects(t)), UnpricedSettings(tokens=20), (USES, USES, SPENDS)),
    "silence": Detector(
        lambda: silence((), FakeClock().now().mono), lambda t: silence(subjects(t), t.now.mono), SilenceSettings(),
        (WORKS, SPENDS, FAILS),
    ),
}
PASSING = st.sampled_from([0, SECOND, SECOND, MINUTE, 11 * MINUTE, 40 * MINUTE, 2 * HOUR, 14 * HOUR])


def steps_of(hears: tuple[dict[str, Any], ...]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    says = st.tuples(
        st.just("say"), st.sampled_from(AGENTS), st.sampled_from(SESSIONS), st.sampled_from(hears), PASSING
    )
    restarts, jumps = st.tuples(st.just("again"), PASSING), st.tuples(st.just("set"), st.sampled_from([-HOUR, HOUR]))
    holds = st.tuples(st.just("hold"), st.sampled_from(AGENTS), st.sampled_from(Control))
    return st.lists(st.one_of(says, says, says, restarts, jumps, holds), max_size=40)


def take(trial: Trial, detector: Detector, step: tuple[Any, ...]) -> None:
    match step:
        case ("say", agent_id, session_id, said, passing):
            trial.say(agent_id=agent_id, session_id=session_id, **said)
            trial.advance(passing)
        case ("again", downtime):
            trial.restart(detector.reopened(trial), downtime)
        case ("set", by):
            trial.clock.jump(by)
        case ("hold", agent_id, control) if agent_id in trial.books.agents:
            trial.edge(ControlChanged(agent_id=agent_id, control=control, by="ops"))


@pytest.mark.parametrize("name", DETECTORS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_alert_fires_for_ever(name: str, data: st.DataObject) -> None:
    detector = DETECTORS[name]
    steps = data.draw(steps_of(detector.hears))
    trial = Trial(detector.fresh(), detector.settings)
    for step in steps:
        take(trial, detector, step)
    for agent_id in trial.books.agents:  # whoever is missed, too, is some day put aside by its owner
        trial.edge(ControlChanged(agent_id=agent_id, control=Control.STOPPED, by="ops"))
    trial.advance(30 * DAY)
    assert trial.firing == {}
    assert trial.pending_wakes <= 2 * len(AGENTS)
