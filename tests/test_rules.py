"""The rules as a durable consumer: what they find is stored with how far they have read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from clawatch.domain.access import Principal
from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertState, Reason, Severity
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Tool
from clawatch.domain.journal import Unit
from clawatch.domain.time import HOUR, MINUTE, SECOND, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict, Wake
from clawatch.ports import AlertFilter, StoreUnavailable
from clawatch.settings import RuleSettings
from clawatch.testing.memory import MemoryStore
from clawatch.testing.notifier import RecordingNotifier

Judge = Callable[[Event, Moment], Iterable[Finding]]


def on_error(event: Event, now: Moment) -> list[Finding]:
    """Fires on an error, clears on a heartbeat."""
    if event.type is EventType.ERROR:
        return [Verdict(agent_id=event.agent_id, severity=Severity.CRITICAL, message=f"broken: {event.error}")]
    return [Verdict(agent_id=event.agent_id, severity=None)] if event.type is EventType.HEARTBEAT else []


async def alerts_of(bench: Any) -> list[Any]:
    return list((await bench.store.alerts(AlertFilter(), None, 100)).items)


async def test_what_a_rule_finds_becomes_an_alert_that_is_told_and_resolved(bench_with: Any) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    await bench.say(type=EventType.ERROR, error="disk full")
    await bench.turn()
    (alert,) = await alerts_of(bench)
    assert (alert.state, alert.severity, alert.message) == (AlertState.FIRING, "critical", "broken: disk full")
    await bench.say()
    await bench.turn(SECOND)
    (alert,) = await alerts_of(bench)
    assert alert.state is AlertState.RESOLVED
    assert [n.reason for n in notifier.said] == [Reason.FIRED, Reason.RESOLVED]
    assert notifier.said[1].ref == f"ref-{alert.id}"


async def test_each_episode_is_an_alert_of_its_own(bench_with: Any) -> None:
    bench = await bench_with(on_error)
    for _ in range(2):
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn(SECOND)
        await bench.say()
        await bench.turn(SECOND)
    first, second = await alerts_of(bench)
    assert first.id != second.id
    assert first.fingerprint == second.fingerprint


async def test_a_restart_goes_on_where_it_was_and_repeats_nothing(bench_with: Any) -> None:
    store, notifier = MemoryStore(), RecordingNotifier()
    before = await bench_with(on_error, notifiers=[notifier], store=store)
    await before.say(type=EventType.ERROR, error="x")
    await before.turn()
    await before.say("b", type=EventType.ERROR, error="y")  # stored, never read by these rules
    after = await bench_with(on_error, notifiers=[notifier], store=store)
    await after.turn(SECOND)
    assert [n.text for n in notifier.said] == ["broken: x", "broken: y"]


async def test_warming_up_shows_the_rules_the_last_hour_without_effects(bench_with: Any) -> None:
    store = MemoryStore()
    before = await bench_with(on_error, store=store)
    await before.say(type=EventType.ERROR, error="x")
    await before.turn(SECOND)
    await before.turn(2 * SECOND)
    after = await bench_with(on_error, store=store)
    (running,) = after.rules.rules
    assert running.rule.seen
    assert len(await alerts_of(after)) == 1


async def test_a_rule_that_keeps_raising_is_switched_off_and_the_others_go_on(bench_with: Any) -> None:
    def broken(event: Event, now: Moment) -> list[Finding]:
        raise RuntimeError("a bug")

    bench = await bench_with(broken)
    for _ in range(6):
        await bench.say()
        await bench.turn()
    (running,) = bench.rules.rules
    assert running.switched_off == "switched off after 5 failures: RuntimeError"
    assert bench.rules.offset == bench.store.head


async def test_a_rule_is_woken_when_it_asked_to_be(bench_with: Any) -> None:
    class Patient:
        def observe(self, entry: Any, agent: Any, settings: Any, now: Moment) -> list[Finding]:
            return [Wake(mono=now.mono + MINUTE, agent_id="a")] if isinstance(entry.body, Event) else []

        def due(self, wake: Wake, agent: Any, settings: Any, now: Moment) -> list[Finding]:
            return [Verdict(agent_id="a", severity=Severity.INFO, message="a minute has passed")]

        def forget(self, agent_id: str) -> None: ...

    bench = await bench_with(Patient())
    await bench.say()
    await bench.turn()
    await bench.turn(MINUTE - 1)
    assert not await alerts_of(bench)
    await bench.turn(1)
    assert len(await alerts_of(bench)) == 1


async def test_a_notice_is_told_and_is_no_alert(bench_with: Any) -> None:
    notifier = RecordingNotifier()
    notice = Notice(agent_id="a", key="k", message="it fell over")
    bench = await bench_with(lambda event, now: [notice], notifiers=[notifier])
    await bench.say()
    await bench.turn()
    assert notifier.heard(Reason.NOTICE) == ["it fell over"]
    assert not await alerts_of(bench)


class TestTheBrake:
    policy = RuleSettings(action="pause")

    async def test_it_pauses_the_agent_once_in_an_episode(self, bench_with: Any) -> None:
        bench = await bench_with(on_error, self.policy)
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        assert bench.fleet.get("a").control is Control.PAUSED
        (command,) = bench.controller.carried
        (alert,) = await alerts_of(bench)
        assert (command.type, command.alert_id, alert.brake) == (CommandType.PAUSE, alert.id, command.id)

    async def test_after_a_human_resumed_it_stays_off_for_that_episode(self, bench_with: Any, owner: Principal) -> None:
        bench = await bench_with(on_error, self.policy)
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        await bench.commands.control("a", CommandType.RESUME, owner)
        await bench.turn(SECOND)
        await bench.say(type=EventType.ERROR, error="y")
        await bench.turn(SECOND)
        assert bench.fleet.get("a").control is Control.RUN
        (alert,) = await alerts_of(bench)
        assert alert.brake_released

    async def test_the_fleet_is_braked_five_times_an_hour_and_then_it_says_so(self, bench_with: Any) -> None:
        bench = await bench_with(on_error, self.policy)
        for i in range(6):
            await bench.say(f"a{i}", type=EventType.ERROR, error="x")
        await bench.turn()
        paused = [agent.id for agent in bench.fleet if agent.control is Control.PAUSED]
        assert len(paused) == 5
        held = [alert for alert in await alerts_of(bench) if alert.brake == "held back"]
        assert "5 times in an hour is the limit" in held[0].message
        bench.clock.advance(HOUR)
        await bench.say("late", type=EventType.ERROR, error="x")
        await bench.turn()
        assert bench.fleet.get("late").control is Control.PAUSED

    @pytest.mark.parametrize("field", ["is_top", "may_brake"])
    async def test_it_acts_at_the_highest_level_and_only_when_the_rule_is_sure(
        self, bench_with: Any, field: str
    ) -> None:
        def unsure(event: Event, now: Moment) -> list[Finding]:
            return [Verdict(agent_id="a", severity=Severity.WARNING, message="hm", **{field: False})]

        bench = await bench_with(unsure, self.policy)
        await bench.say()
        await bench.turn()
        assert bench.fleet.get("a").control is Control.RUN


async def test_a_paused_agent_that_works_on_fails_its_command(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.take("a", owner)
    tool = Tool(name="exec", ok=True)
    await bench.say(type=EventType.TOOL_CALL, tool=tool, at=bench.clock.advance(30 * SECOND).wall)
    await bench.turn()
    assert bench.commands.latest("a").state is CommandState.DELIVERED
    await bench.say(type=EventType.TOOL_CALL, tool=tool, at=bench.clock.advance(1).wall)
    await bench.turn()
    failed = bench.commands.latest("a")
    assert (failed.state, failed.message) == (CommandState.FAILED, "still working: reported tool_call")


async def test_a_reported_pause_confirms_the_command(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.say(type=EventType.STATUS_CHANGE, activity=Activity.PAUSED)
    await bench.turn()
    assert bench.commands.latest("a").state is CommandState.CONFIRMED


async def test_edges_that_cannot_be_stored_are_kept_and_stored_first_on_recovery(
    bench_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_with(on_error)
    warned: list[str] = []
    bench.rules.on_blocked = warned.append
    await bench.say(type=EventType.ERROR, error="x")
    commit = bench.store.commit

    async def full(unit: Unit, now: int) -> None:
        raise StoreUnavailable("disk is full")

    monkeypatch.setattr(bench.store, "commit", full)
    await bench.turn()
    assert bench.rules.is_blocked
    assert set(warned) == {"disk is full"}
    assert not await alerts_of(bench)
    monkeypatch.setattr(bench.store, "commit", commit)
    await bench.turn(SECOND)
    assert not bench.rules.is_blocked
    assert len(await alerts_of(bench)) == 1
