"""The outbox: at least once, in order per alert, one worker per notifier."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from structlog.testing import capture_logs

from clawatch.alerting.outbox import LONGEST_RETRY, abandon_others, backoff
from clawatch.alerting.routing import Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.alerts import Reason, Severity
from clawatch.domain.deliveries import RetryLater, Undeliverable
from clawatch.domain.events import Event, EventType
from clawatch.domain.time import HOUR, MINUTE, SECOND, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict
from clawatch.ports import AlertFilter, Forbidden, StoreUnavailable
from clawatch.testing.memory import MemoryStore
from clawatch.testing.notifier import RecordingNotifier


def on_error(event: Event, now: Moment) -> Iterable[Finding]:
    if event.type is EventType.ERROR:
        yield Verdict(agent_id=event.agent_id, severity=Severity.CRITICAL, message=f"{event.agent_id} broke")
    elif event.type is EventType.HEARTBEAT:
        yield Verdict(agent_id=event.agent_id, severity=None)


async def fire(bench: Any, agent_id: str = "a") -> None:
    await bench.say(agent_id, type=EventType.ERROR, error="x")
    await bench.turn(1)


async def test_a_ten_minute_outage_loses_nothing_and_keeps_the_order(bench_with: Any) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    notifier.answers = [RetryLater("unreachable")] * 1000
    for i in range(5):
        await fire(bench, f"a{i}")
        await bench.say(f"a{i}")
        await bench.turn(1)
    for _ in range(600):
        await bench.turn(SECOND)
    assert notifier.tried < 60, "an outage is no reason to hammer"
    assert not notifier.said
    notifier.answers = []
    for _ in range(600):
        await bench.turn(SECOND)
    assert await bench.store.outbox_size() == 0
    for i in range(5):
        of_agent = [n.reason for n in notifier.said if n.agent is not None and n.agent.id == f"a{i}"]
        assert of_agent == [Reason.FIRED, Reason.RESOLVED]


async def test_a_notifier_in_trouble_delays_nobody_else(bench_with: Any) -> None:
    down, up = RecordingNotifier(*[RetryLater("down")] * 50), RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[down, up])
    await fire(bench)
    assert up.heard() == ["a broke"]
    assert not down.said


async def test_retry_after_is_waited_out(bench_with: Any) -> None:
    notifier = RecordingNotifier(RetryLater("429", after=30 * SECOND))
    bench = await bench_with(on_error, notifiers=[notifier])
    await fire(bench)
    await bench.turn(29 * SECOND)
    assert notifier.tried == 1
    await bench.turn(SECOND)
    assert notifier.heard() == ["a broke"]


async def test_a_notifier_that_raises_is_tried_again(bench_with: Any) -> None:
    notifier = RecordingNotifier()
    notifier.answers = [RuntimeError("a bug")]
    bench = await bench_with(on_error, notifiers=[notifier])
    await fire(bench)
    await bench.turn(3 * SECOND)
    assert notifier.heard() == ["a broke"]


async def test_what_cannot_be_delivered_is_given_up_and_said_so(bench_with: Any) -> None:
    notifier = RecordingNotifier(Undeliverable("chat not found"))
    bench = await bench_with(on_error, notifiers=[notifier])
    await fire(bench)
    assert bench.workers[0].state == "undeliverable: chat not found"
    assert await bench.store.outbox_size() == 0


async def test_a_crash_between_sending_and_settling_sends_again_at_once_under_the_same_id(
    bench_with: Any, monkeypatch: Any
) -> None:
    store, notifier = MemoryStore(), RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier], store=store)
    settle = store.settle

    async def crash(*args: object) -> None:
        raise ConnectionError("the process died here")

    monkeypatch.setattr(store, "settle", crash)
    with contextlib.suppress(ConnectionError):
        await fire(bench)
    monkeypatch.setattr(store, "settle", settle)
    again = await bench_with(on_error, notifiers=[notifier], store=store)
    await again.turn(1)
    first, second = notifier.said
    assert first.id == second.id


class TestSilences:
    async def test_a_silenced_alert_rings_nowhere_and_once_when_the_silence_ends(
        self, bench_with: Any, owner: Principal
    ) -> None:
        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier])
        await bench.say()
        await bench.desk.silence(owner, HOUR, "deploying", agent="a")
        await fire(bench)
        assert not notifier.said
        bench.clock.advance(HOUR)
        await bench.desk.lift_expired(bench.clock.now().wall)
        await bench.turn(1)
        assert [n.reason for n in notifier.said] == [Reason.UNSILENCED]

    async def test_a_message_that_is_there_is_edited_under_a_silence(self, bench_with: Any, owner: Principal) -> None:
        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier])
        await fire(bench)
        (alert,) = (await bench.store.alerts(AlertFilter(), None, 10)).items
        await bench.desk.silence(owner, HOUR, "", alert_id=alert.id)
        await bench.turn(1)
        edited = notifier.said[-1]
        assert (edited.reason, edited.is_quiet) == (Reason.UPDATED, True)
        assert edited.silenced_until == bench.clock.now().wall - 1 + HOUR

    async def test_a_silence_that_ran_out_while_we_were_away_is_honoured_at_start(
        self, bench_with: Any, owner: Principal
    ) -> None:
        store, notifier = MemoryStore(), RecordingNotifier()
        before = await bench_with(on_error, notifiers=[notifier], store=store)
        await before.desk.silence(owner, HOUR, "")
        await fire(before)
        before.clock.advance(2 * HOUR)
        after = await bench_with(on_error, notifiers=[notifier], store=store)
        await after.desk.lift_expired(after.clock.now().wall)
        await after.turn(1)
        assert notifier.heard(Reason.UNSILENCED) == ["a broke"]


async def test_an_acknowledged_alert_is_not_repeated(bench_with: Any, owner: Principal) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    await fire(bench)
    await bench.turn(4 * HOUR)
    assert notifier.heard(Reason.REPEATED) == ["a broke"]
    (alert,) = (await bench.store.alerts(AlertFilter(), None, 10)).items
    await bench.desk.acknowledge(alert.id, owner)
    await bench.turn(5 * HOUR)
    assert len(notifier.heard(Reason.REPEATED)) == 1
    assert notifier.said[-1].alert.acknowledged.by == "olga"


async def test_acknowledging_twice_is_once(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with(on_error)
    await fire(bench)
    (alert,) = bench.desk.alerts()
    first = await bench.desk.acknowledge(alert.id, owner)
    assert await bench.desk.acknowledge(alert.id, owner) == first


async def test_a_storm_becomes_one_summary_that_grows_and_no_alert_is_lost(bench_with: Any) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    for i in range(500):
        await bench.say(f"a{i}", type=EventType.ERROR, error="x")
    for _ in range(5):
        await bench.turn(SECOND)
    assert len(notifier.heard(Reason.FIRED)) == 10
    summaries = [n for n in notifier.said if n.reason is Reason.SUMMARY]
    assert {n.thread for n in summaries} == {summaries[0].thread}
    assert summaries[-1].text.startswith("490 more alerts of test")
    assert len(bench.desk.alerts()) == 500


async def test_one_owners_storm_hides_no_alert_of_anothers(bench_with: Any, owner: Principal) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    for i in range(30):
        await bench.say(f"a{i}", type=EventType.ERROR, error="x")
    now = bench.clock.now().wall
    victim = Event(agent_id="victim", type=EventType.ERROR, at=now, error="x")
    await bench.ingest.accept([victim], replace(owner, user="vera"))
    await bench.turn(1)
    assert "victim broke" in notifier.heard(Reason.FIRED)


async def test_notices_come_in_storms_too(bench_with: Any) -> None:
    def on_event(event: Event, now: Moment) -> Iterable[Finding]:
        yield Notice(agent_id=event.agent_id, key=event.agent_id, message=f"{event.agent_id} fell over")

    notifier = RecordingNotifier()
    bench = await bench_with(on_event, notifiers=[notifier])
    for i in range(50):
        await bench.say(f"a{i}")
    for _ in range(3):
        await bench.turn(SECOND)
    assert len(notifier.heard(Reason.NOTICE)) == 10
    assert notifier.heard(Reason.SUMMARY)[-1].startswith("40 more alerts of test: a")


async def test_routes_choose_who_is_told(bench_with: Any) -> None:
    first, second = RecordingNotifier(), RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[first, second], routes=[Route(notifiers=("n1",), agent="a*")])
    await fire(bench, "a1")
    await fire(bench, "b1")
    assert not first.said
    assert second.heard() == ["a1 broke"]


async def test_whom_a_milder_level_was_told_to_sees_how_it_goes_on(bench_with: Any) -> None:
    def by_level(event: Event, now: Moment) -> Iterable[Finding]:
        severity = {EventType.MESSAGE: Severity.INFO, EventType.ERROR: Severity.CRITICAL}.get(event.type)
        yield Verdict(agent_id=event.agent_id, severity=severity, message=f"{event.type}")

    mild, grave = RecordingNotifier(), RecordingNotifier()
    routes = [Route(notifiers=("n0",), severity="info"), Route(notifiers=("n1",), severity="critical")]
    bench = await bench_with(by_level, notifiers=[mild, grave], routes=routes)
    for said in (EventType.MESSAGE, EventType.ERROR, EventType.HEARTBEAT):
        await bench.say(type=said)
        await bench.turn(SECOND)
    assert [n.reason for n in mild.said] == [Reason.FIRED, Reason.UPDATED, Reason.RESOLVED]
    assert [n.reason for n in grave.said] == [Reason.RAISED, Reason.RESOLVED]


@given(st.integers(1, 100), st.one_of(st.none(), st.integers(0, HOUR)))
def test_backoff_grows_is_bounded_and_never_shorter_than_asked(attempts: int, asked: int | None) -> None:
    wait = backoff(attempts, asked)
    assert wait >= (asked or 0)
    assert wait <= max(LONGEST_RETRY, asked or 0)
    assert backoff(attempts + 1, asked) >= wait




async def test_what_was_said_while_the_store_was_down_is_not_said_again(bench_with: Any, monkeypatch: Any) -> None:
    notifier = RecordingNotifier()
    bench = await bench_with(on_error, notifiers=[notifier])
    settle = bench.store.settle

    async def full(*args: object) -> None:
        raise StoreUnavailable("disk is full")

    monkeypatch.setattr(bench.store, "settle", full)
    with pytest.raises(StoreUnavailable):
        await fire(bench)
    monkeypatch.setattr(bench.store, "settle", settle)
    await bench.say()
    await bench.turn(SECOND)
    assert [n.reason for n in notifier.said] == [Reason.FIRED, Reason.RESOLVED]
    assert notifier.said[1].ref == f"ref-{notifier.said[0].alert.id}"
    assert await bench.store.outbox_size() == 0


class TestStorms:
    async def test_a_storm_that_does_not_end_is_summed_up_all_the_same(self, bench_with: Any) -> None:
        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier])
        for i in range(120):
            await bench.say(f"a{i}", type=EventType.ERROR, error="x")
            await bench.turn(SECOND // 2)
        summaries = notifier.heard(Reason.SUMMARY)
        assert len(summaries) > 10
        assert summaries[-1] > summaries[0]

    async def test_a_clock_that_was_set_back_makes_no_storm(self, bench_with: Any) -> None:
        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier])
        for i in range(10):
            await fire(bench, f"a{i}")
        await bench.turn(MINUTE)
        bench.clock.jump(-HOUR)
        await fire(bench, "late")
        assert notifier.heard(Reason.FIRED)[-1] == "late broke"


class TestNotifiersThatAreGone:
    async def test_what_waits_for_one_is_dropped_with_a_word(self, bench_with: Any) -> None:
        store, notifier = MemoryStore(), RecordingNotifier(*[RetryLater("down")] * 9)
        bench = await bench_with(on_error, notifiers=[notifier], store=store)
        log = structlog.get_logger()
        await abandon_others(store, ["n0"], 0, log)
        await fire(bench)
        await bench.say()
        await bench.turn(SECOND)
        assert await store.outbox_size() == 2
        await abandon_others(store, ["n0"], 0, log)
        assert await store.outbox_size() == 2
        with capture_logs() as said:
            await abandon_others(store, ["other"], bench.clock.now().wall, log)
        assert await store.outbox_size() == 0
        assert [(line["event"], line["notifier"], line["rows"]) for line in said] == [("outbox.abandoned", "n0", 2)]


class TestSilencesThatEnd:
    async def test_two_that_end_together_ring_once(self, bench_with: Any, owner: Principal) -> None:
        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier])
        await bench.desk.silence(owner, HOUR, "", agent="a")
        await bench.desk.silence(owner, HOUR, "", agent="*")
        await fire(bench)
        bench.clock.advance(HOUR)
        await bench.desk.lift_expired(bench.clock.now().wall)
        await bench.turn(1)
        assert len(notifier.said) == 1

    async def test_one_that_is_lifted_by_two_at_once_rings_once(self, bench_with: Any, owner: Principal) -> None:
        class Slow(MemoryStore):
            async def commit(self, unit: Any, now: int) -> Any:
                await asyncio.sleep(0)
                return await super().commit(unit, now)

        notifier = RecordingNotifier()
        bench = await bench_with(on_error, notifiers=[notifier], store=Slow())
        silence = await bench.desk.silence(owner, HOUR, "")
        await fire(bench)
        now = bench.clock.now().wall
        await asyncio.gather(bench.desk.unsilence(silence.id, owner), bench.desk.lift_expired(now))
        await bench.turn(1)
        assert len(notifier.said) == 1

    async def test_who_silenced_an_alert_of_its_own_may_lift_that_again(
        self, bench_with: Any, owner: Principal
    ) -> None:
        bench = await bench_with(on_error)
        await fire(bench)
        (alert,) = bench.desk.alerts()
        narrow = replace(owner, agents=("a*",), scopes=frozenset({Scope.CONTROL}))
        silence = await bench.desk.silence(narrow, HOUR, "", alert_id=alert.id)
        with pytest.raises(Forbidden):
            await bench.desk.unsilence(silence.id, replace(narrow, agents=("b*",)))
        await bench.desk.unsilence(silence.id, narrow)
        assert not bench.desk.silences()
