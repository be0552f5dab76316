"""What waits goes on waiting as long as it should when somebody sets the wall clock meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from clawatch import chores
from clawatch.domain.access import Principal
from clawatch.domain.ages import Ages
from clawatch.domain.alerts import AlertState, AlertType, Severity
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, EventType, Tool
from clawatch.domain.time import HOUR, MINUTE, SECOND, Moment
from clawatch.domain.verdicts import Finding, Verdict
from clawatch.settings import RuleSettings
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore

JUMPS = pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forth"])


def on_error(event: Event, now: Moment) -> list[Finding]:
    severity = Severity.WARNING if event.type is EventType.ERROR else None
    return [Verdict(agent_id="a", severity=severity, message="broken")]


def state_of(bench: Any) -> AlertState | None:
    found = bench.desk.alerts()
    return found[0].state if found else None


@JUMPS
async def test_a_pending_alert_fires_when_its_time_has_passed(bench_with: Any, jump: int) -> None:
    bench = await bench_with(on_error, RuleSettings(for_=2 * MINUTE))
    await bench.say(type=EventType.ERROR, error="x")
    await bench.turn(SECOND)
    bench.clock.jump(jump)
    await bench.turn(MINUTE)
    assert state_of(bench) is AlertState.PENDING
    await bench.turn(MINUTE)
    assert state_of(bench) is AlertState.FIRING


@JUMPS
async def test_an_alert_that_is_over_resolves_when_its_time_has_passed(bench_with: Any, jump: int) -> None:
    bench = await bench_with(on_error, RuleSettings(resolve_after=2 * MINUTE))
    await bench.say(type=EventType.ERROR, error="x")
    await bench.turn(SECOND)
    await bench.say()
    await bench.turn(SECOND)
    bench.clock.jump(jump)
    await bench.turn(MINUTE)
    assert state_of(bench) is AlertState.FIRING
    await bench.turn(MINUTE)
    assert state_of(bench) is None


@JUMPS
async def test_an_agent_gets_its_time_to_stop_and_no_more(bench_with: Any, owner: Principal, jump: int) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.take("a", owner)
    bench.clock.jump(jump)
    for passed, state in ((20 * SECOND, CommandState.DELIVERED), (20 * SECOND, CommandState.FAILED)):
        bench.clock.advance(passed)
        await bench.say(type=EventType.TOOL_CALL, tool=Tool(name="exec", ok=True))
        await bench.turn()
        assert bench.commands.latest("a").state is state


async def test_work_that_came_in_time_and_is_judged_late_is_no_disobedience(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.take("a", owner)
    await bench.say(type=EventType.TOOL_CALL, tool=Tool(name="exec", ok=True))
    await bench.turn(MINUTE)
    assert bench.commands.latest("a").state is CommandState.DELIVERED


async def test_an_agent_stays_stuck_while_another_rule_says_so_too(bench_with: Any) -> None:
    def judge(event: Event, now: Moment) -> list[Finding]:
        if event.type is EventType.HEARTBEAT:
            return [Verdict(agent_id="a", severity=None, subject=event.id or "")]
        return [
            Verdict(agent_id="a", severity=Severity.CRITICAL, subject=one, message="silent", says_silent=True)
            for one in ("one", "two")
        ]

    bench = await bench_with(judge, alert_type=AlertType.STUCK)
    await bench.say(type=EventType.ERROR, error="x")
    await bench.turn()
    assert bench.fleet.get("a").is_silent
    await bench.say(id="one")
    await bench.turn()
    assert bench.fleet.get("a").is_silent
    await bench.say(id="two")
    await bench.turn()
    assert not bench.fleet.get("a").is_silent


def test_ages_run_on_the_clock_that_nobody_sets() -> None:
    ages = Ages()
    assert ages.of("a", 1_000, Moment(wall=1_500, mono=10_000)) == 500
    assert ages.of("a", 1_000, Moment(wall=90_000, mono=10_250)) == 750
    assert ages.of("a", 1_000, Moment(wall=0, mono=10_300)) == 800
    for instant in range(10):
        ages.of("a", instant, Moment(wall=0, mono=0))
    ages.keep({"b"})
    assert ages.of("a", 1_000, Moment(wall=1_000, mono=20_000)) == 0


def test_every_absence_after_an_instant_counts() -> None:
    away = Downtime.until(100, [(10, 20), (30, 60), (95, 100)])
    assert (int(away), away.since(0), away.since(15), away.since(40), away.since(97)) == (5, 45, 40, 25, 3)
    assert Downtime.until(200, [(10, 20)]) == 0
    assert (Downtime(7).since(0), Downtime.until(5, []).since(0)) == (7, 0)


async def test_absences_are_remembered_over_several_starts(clock: FakeClock) -> None:
    store = MemoryStore()
    began = clock.now().wall
    assert await chores.downtime(store, clock) == 0
    for _ in range(2):
        await chores.mark_alive(store, clock)
        clock.advance(HOUR)
        away = await chores.downtime(store, clock)
        clock.advance(MINUTE)
    assert (int(away), away.since(began)) == (HOUR, 2 * HOUR)
