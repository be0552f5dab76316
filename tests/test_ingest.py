"""The one way in: rights, time, and what is kept of what an agent says of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from clawatch.apis import pace
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import Event, EventType, Facts
from clawatch.domain.time import HOUR
from clawatch.ingest import MAX_TEXT, redact_with


def heartbeat(agent_id: str = "a", **fields: Any) -> Event:
    return Event(agent_id=agent_id, type=EventType.HEARTBEAT, at=0, **fields)


async def test_an_event_is_visible_when_its_receipt_is_given(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    receipt = await bench.ingest.accept([heartbeat()], owner)
    assert (receipt.accepted, receipt.duplicates) == (1, 0)
    assert bench.fleet.get("a").last_seen == bench.clock.now().wall


async def test_the_same_id_again_is_a_duplicate(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.ingest.accept([heartbeat(id="1")], owner)
    receipt = await bench.ingest.accept([heartbeat(id="1"), heartbeat(id="2")], owner)
    assert (receipt.accepted, receipt.duplicates) == (1, 1)


async def test_a_time_in_the_future_is_the_time_of_receipt(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    now = bench.clock.now().wall
    await bench.ingest.accept([replace(heartbeat(), at=now + HOUR)], owner)
    (entry,) = await bench.journal.read(0, 10)
    assert (entry.body.at, entry.body.received_at) == (now, now)


async def test_foreign_and_impossible_agents_are_refused_by_index(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    mine = replace(owner, agents=("mine-*",))
    receipt = await bench.ingest.accept([heartbeat("mine-1"), heartbeat("yours"), heartbeat("a\x00b")], mine)
    assert receipt.accepted == 1
    assert [index for index, _ in receipt.rejected] == [1, 2]
    assert not receipt.forbidden, "not every refusal was for lack of rights"
    alone = await bench.ingest.accept([heartbeat("yours")], mine)
    assert alone.forbidden


async def test_without_the_scope_nothing_is_taken(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    receipt = await bench.ingest.accept([heartbeat()], replace(owner, scopes=frozenset({Scope.READ})))
    assert receipt.forbidden
    assert bench.store.head == 0


async def test_long_names_are_cut(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    await bench.ingest.accept([heartbeat(facts=Facts(name="n" * 10_000, host="h" * 10_000))], owner)
    agent = bench.fleet.get("a")
    assert (len(agent.name), len(agent.host)) == (MAX_TEXT, MAX_TEXT)


def test_everything_an_agent_wrote_freely_is_redacted() -> None:
    redact = redact_with(lambda text: text.replace("secret", "*"), lambda value: {"data": "*"} if value else value)
    event = redact(heartbeat(data={"data": "secret"}, error="a secret"))
    assert (event.data, event.error) == ({"data": "*"}, "a *")


async def test_a_large_batch_does_not_keep_others_waiting(
    bench_with: Any, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_with()
    monkeypatch.setattr(pace, "LONGEST", 0)
    large = asyncio.create_task(bench.ingest.accept([heartbeat(f"a{i}") for i in range(100)], owner))
    await asyncio.sleep(0)
    assert (await bench.ingest.accept([heartbeat("other")], owner)).accepted == 1
    assert not large.done(), "the other one came later, and was answered before"
    assert (await large).accepted == 100


async def test_while_the_rules_are_far_behind_what_comes_in_waits(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with()
    asked = iter([True, True, True])
    bench.ingest.is_ahead = lambda: next(asked, False)
    receipt = await bench.ingest.accept([heartbeat()], owner)
    assert receipt.accepted == 1
    assert next(asked, None) is None, "it looked until they had caught up"


async def test_rules_that_never_catch_up_hold_nothing_up_for_ever(
    bench_with: Any, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawatch.ingest.HELD_FOR", 0.02)
    bench = await bench_with()
    bench.ingest.is_ahead = lambda: True
    assert (await bench.ingest.accept([heartbeat()], owner)).accepted == 1
