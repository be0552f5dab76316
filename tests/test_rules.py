"""The rules as a durable consumer: what they find is stored with how far they have read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from clawatch.domain.access import Principal
from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertState, AlertType, Reason, Severity
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Tool
from clawatch.domain.journal import CommandChanged, Removed, Unit
from clawatch.domain.time import HOUR, MINUTE, SECOND, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict, Wake
from clawatch.ports import AlertFilter, RetentionPolicy, Rule, StoreUnavailable
from clawatch.rules import Running
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


async def test_a_notice_is_told_once_per_key_also_over_a_restart(bench_with: Any) -> None:
    def tell(event: Event, now: Moment) -> list[Finding]:
        return [Notice(agent_id="a", key="once", message="it fell over")]

    store, notifier = MemoryStore(), RecordingNotifier()
    before = await bench_with(tell, notifiers=[notifier], store=store)
    await before.say()
    await before.say()
    await before.turn()
    after = await bench_with(tell, notifiers=[notifier], store=store)
    await after.say()
    await after.turn(SECOND)
    assert notifier.heard(Reason.NOTICE) == ["it fell over"]


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


class TestAlertsWhoseRuleNoLongerLooks:
    async def test_a_rule_that_is_no_longer_in_use_ends_its_alerts(self, bench_with: Any) -> None:
        store, notifier = MemoryStore(), RecordingNotifier()
        before = await bench_with(on_error, store=store)
        await before.say(type=EventType.ERROR, error="x")
        await before.turn()

        def unknown(rule: str, agent: Any) -> RuleSettings:
            raise KeyError(rule)

        after = await bench_with(None, notifiers=[notifier], store=store)
        after.rules.settings_for = unknown
        await after.turn(SECOND)
        assert [alert.state for alert in await alerts_of(after)] == [AlertState.RESOLVED]
        assert [n.reason for n in notifier.said] == [Reason.RESOLVED]

    async def test_a_rule_switched_off_for_an_agent_ends_its_alerts_and_no_others(self, bench_with: Any) -> None:
        bench = await bench_with(on_error)
        for agent_id in ("a", "b"):
            await bench.say(agent_id, type=EventType.ERROR, error="x")
        await bench.turn()
        bench.rules.settings_for = lambda rule, agent: RuleSettings(enabled=agent.id != "a")
        await bench.turn(SECOND)
        assert {alert.agent_id: alert.state for alert in await alerts_of(bench)} == {
            "a": AlertState.RESOLVED, "b": AlertState.FIRING,
        }


class TestTheBrakeAndTime:
    async def test_an_alert_that_had_to_wait_brakes_when_it_fires(self, bench_with: Any) -> None:
        bench = await bench_with(on_error, RuleSettings(action="pause", for_=MINUTE))
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        assert bench.fleet.get("a").control is Control.RUN
        await bench.turn(MINUTE)
        assert bench.fleet.get("a").control is Control.PAUSED

    async def test_an_agent_that_had_to_be_silent_for_a_while_longer_is_shown_as_stuck(self, bench_with: Any) -> None:
        def silent(event: Event, now: Moment) -> list[Finding]:
            return [Verdict(agent_id="a", severity=Severity.INFO, message="silent", says_silent=True)]

        bench = await bench_with(silent, RuleSettings(for_=MINUTE), alert_type=AlertType.STUCK)
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        await bench.turn(MINUTE)
        assert bench.fleet.get("a").is_silent

    async def test_the_highest_level_brakes_also_where_all_levels_are_told_at_one_severity(
        self, bench_with: Any
    ) -> None:
        def by_level(event: Event, now: Moment) -> list[Finding]:
            is_top = event.type is EventType.ERROR
            return [Verdict(agent_id="a", severity=Severity.INFO, message=f"level {is_top}", is_top=is_top)]

        bench = await bench_with(by_level, RuleSettings(action="pause", severity=Severity.CRITICAL))
        await bench.say()
        await bench.turn()
        assert bench.fleet.get("a").control is Control.RUN
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn(SECOND)
        assert bench.fleet.get("a").control is Control.PAUSED

    async def test_five_times_an_hour_holds_over_a_restart(self, bench_with: Any) -> None:
        store = MemoryStore()
        before = await bench_with(on_error, RuleSettings(action="pause"), store=store)
        for i in range(5):
            await before.say(f"a{i}", type=EventType.ERROR, error="x")
        await before.turn()
        after = await bench_with(on_error, RuleSettings(action="pause"), store=store)
        await after.say("a5", type=EventType.ERROR, error="x")
        await after.turn(SECOND)
        assert after.fleet.get("a5").control is Control.RUN

    async def test_two_rules_that_brake_one_agent_at_once_ask_it_once(self, bench_with: Any) -> None:
        bench = await bench_with(on_error, RuleSettings(action="pause"))
        bench.rules.rules.append(Running("other", AlertType.ERROR, bench.rules.rules[0].rule))
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        assert len(await alerts_of(bench)) == 2
        assert len((await bench.store.commands("a", None, 10)).items) == 1

    async def test_a_resume_releases_every_brake_on_the_agent(self, bench_with: Any, owner: Principal) -> None:
        bench = await bench_with(on_error, RuleSettings(action="pause"))
        bench.rules.rules.append(Running("other", AlertType.ERROR, bench.rules.rules[0].rule))
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        await bench.commands.control("a", CommandType.RESUME, owner)
        await bench.say(type=EventType.ERROR, error="y")
        await bench.turn(SECOND)
        assert bench.fleet.get("a").control is Control.RUN

    async def test_a_controller_that_hangs_does_not_hold_up_the_rules(self, bench_with: Any) -> None:
        bench = await bench_with(on_error, RuleSettings(action="pause"))
        called = asyncio.Event()

        async def hang(command: Any, agent: Any) -> None:
            called.set()
            await asyncio.Event().wait()

        bench.controller.carry = hang
        await bench.say(type=EventType.ERROR, error="x")
        async with asyncio.timeout(5):
            await bench.rules.step()
            await called.wait()
            await bench.say("b", type=EventType.ERROR, error="y")
            await bench.rules.step()
        assert len(await alerts_of(bench)) == 2


class TestBrokenRules:
    async def test_one_that_cannot_begin_watch_or_forget_stops_nobody(self, bench_with: Any) -> None:
        class Broken(Rule):
            def observe(self, entry: Any, agent: Any, settings: Any, now: Moment) -> list[Finding]:
                return []

            def due(self, wake: Any, agent: Any, settings: Any, now: Moment) -> list[Finding]:
                return []

            def forget(self, agent_id: str) -> None:
                raise RuntimeError("a bug")

            def began(self, now: Moment, downtime: int) -> None:
                raise RuntimeError("a bug")

            def watch(self, agent: Any, settings: Any, now: Moment) -> list[Wake]:
                raise RuntimeError("a bug")

        store = MemoryStore()
        before = await bench_with(store=store)
        await before.say()
        bench = await bench_with(Broken(), store=store)
        await store.commit(Unit(edges=(Removed(agent_id="a", by="me"),)), 0)
        await bench.turn()
        assert bench.rules.offset == store.head

    async def test_one_that_asks_to_be_woken_at_once_again_and_again_does_not_hang_the_daemon(
        self, bench_with: Any
    ) -> None:
        woken = []

        class Restless:
            def observe(self, entry: Any, agent: Any, settings: Any, now: Moment) -> list[Finding]:
                return [Wake(mono=now.mono, agent_id="a")]

            def due(self, wake: Wake, agent: Any, settings: Any, now: Moment) -> list[Finding]:
                woken.append(1)
                assert len(woken) < 100
                return [Wake(mono=now.mono, agent_id="a")]

            def forget(self, agent_id: str) -> None: ...

        bench = await bench_with(Restless())
        await bench.say()
        await bench.rules.step()
        assert len(woken) == 1

    async def test_one_whose_evidence_cannot_be_stored_spoils_no_other_alert(self, bench_with: Any) -> None:
        def odd(event: Event, now: Moment) -> list[Finding]:
            return [Verdict(agent_id="a", severity=Severity.INFO, message="odd", evidence={"what": object()})]

        bench = await bench_with(odd)
        bench.rules.rules.append(Running("other", AlertType.ERROR, type(bench.rules.rules[0].rule)(on_error)))
        await bench.say(type=EventType.ERROR, error="x")
        await bench.turn()
        assert [alert.rule for alert in await alerts_of(bench)] == ["other"]


async def test_a_blunder_with_one_entry_loses_no_other_and_is_not_repeated(
    bench_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_with(on_error)
    (running,) = bench.rules.rules
    observe = bench.commands.observe

    def stumble(entry: Any, agent: Any) -> Any:
        if entry.agent_id == "bad":
            raise RuntimeError("a bug of ours")
        return observe(entry, agent)

    monkeypatch.setattr(bench.commands, "observe", stumble)
    for agent_id in ("a", "bad", "b"):
        await bench.say(agent_id, type=EventType.ERROR, error="x")
    with pytest.raises(RuntimeError):
        await bench.rules.step()
    await bench.turn()
    assert {alert.agent_id for alert in await alerts_of(bench)} == {"a", "b"}
    assert len(running.rule.seen) == len(set(running.rule.seen))


async def test_while_nothing_can_be_stored_what_expires_does_so_once(
    bench_with: Any, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_with(on_error)
    await bench.say(type=EventType.ERROR, error="x")
    await bench.commands.send("a", CommandType.GET_STATUS, {}, owner)
    commit, units = bench.store.commit, []

    async def full(unit: Unit, now: int) -> None:
        units.append(unit)
        raise StoreUnavailable("disk is full")

    monkeypatch.setattr(bench.store, "commit", full)
    for _ in range(20):
        await bench.turn(MINUTE)
    assert sum(isinstance(edge, CommandChanged) for edge in units[-1].edges) == 1
    monkeypatch.setattr(bench.store, "commit", commit)
    await bench.turn(SECOND)
    await bench.turn(SECOND)
    (command,) = (await bench.store.commands("a", None, 10)).items
    assert command.state is CommandState.EXPIRED
    assert len(await alerts_of(bench)) == 1


async def test_entries_pruned_before_they_were_read_are_passed_over(bench_with: Any) -> None:
    store = MemoryStore()
    before = await bench_with(store=store)
    await before.say()
    policy = RetentionPolicy(events=MINUTE, minutes=HOUR, hours=HOUR, alerts=HOUR)
    await store.prune(policy, before.clock.advance(HOUR).wall, 100)
    after = await bench_with(on_error, store=store)
    await after.rules.step()
    assert after.rules.offset == store.head


async def test_a_word_from_before_the_command_does_not_confirm_it(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say(type=EventType.STATUS_CHANGE, activity=Activity.PAUSED)
    await bench.say(type=EventType.STATUS_CHANGE, activity=Activity.RUNNING)
    bench.clock.advance(SECOND)
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.turn()
    assert bench.commands.latest("a").state is CommandState.REQUESTED


async def test_a_command_handed_out_again_and_again_gives_no_fresh_grace(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.take("a", owner)
    bench.clock.advance(31 * SECOND)
    assert await bench.commands.take("a", owner)
    await bench.say(type=EventType.TOOL_CALL, tool=Tool(name="exec", ok=True))
    await bench.turn()
    assert bench.commands.latest("a").state is CommandState.FAILED


async def test_a_pause_ignored_many_times_at_once_has_failed_once(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.say()
    await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.take("a", owner)
    bench.clock.advance(MINUTE)
    for _ in range(10):
        await bench.say(type=EventType.TOOL_CALL, tool=Tool(name="exec", ok=True))
    head = bench.store.head
    await bench.turn()
    assert bench.commands.latest("a").state is CommandState.FAILED
    assert bench.store.head == head + 1
