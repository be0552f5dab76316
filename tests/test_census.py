"""How many agents there may be: per user, and in all, also while many come at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from clawatch.census import Census
from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import Committed, Removed, Unit
from clawatch.fleet import Fleet
from clawatch.ports import StoreUnavailable


def heartbeats(*agents: str) -> list[Event]:
    return [Event(agent_id=agent, type=EventType.HEARTBEAT, at=0) for agent in agents]


def agent(id: str, owner: str = "olga") -> Agent:
    return Agent(id=id, name=id, created_at=0, owner=owner)


async def test_an_agent_too_many_is_refused_by_index(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with(most_agents=2)
    receipt = await bench.ingest.accept(heartbeats("a", "b", "c", "a"), owner)
    assert (receipt.accepted, receipt.forbidden) == (3, False)
    assert receipt.rejected == (
        (2, "'olga' has 2 agents already; delete some with DELETE /api/agents/:id or raise limits.agents"),
    )
    assert (await bench.ingest.accept(heartbeats("b"), owner)).accepted == 1, "known ones go on"


async def test_each_user_has_room_of_its_own(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with(most_agents=1)
    assert (await bench.ingest.accept(heartbeats("a"), owner)).accepted == 1
    assert (await bench.ingest.accept(heartbeats("b"), replace(owner, user="otto"))).accepted == 1


async def test_a_removed_agent_makes_room(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with(most_agents=1)
    await bench.ingest.accept(heartbeats("a"), owner)
    await bench.store.commit(Unit(edges=(Removed(agent_id="a", by="ops"),)), 0)
    assert (await bench.ingest.accept(heartbeats("b"), owner)).accepted == 1


async def test_batches_at_the_same_time_cannot_overfill_it(bench_with: Any, owner: Principal) -> None:
    bench = await bench_with(most_agents=300)
    batches = (heartbeats(*(f"{n}-{i}" for i in range(250))) for n in range(4))  # more than are settled in one go
    receipts = await asyncio.gather(*(bench.ingest.accept(batch, owner) for batch in batches))
    assert sum(receipt.accepted for receipt in receipts) == len(bench.fleet) == 300


async def test_what_could_not_be_stored_takes_no_room(
    bench_with: Any, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_with(most_agents=1)

    async def fail(*args: Any) -> None:
        raise StoreUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "append", fail)
        with pytest.raises(StoreUnavailable):
            await bench.ingest.accept(heartbeats("a"), owner)
    assert (await bench.ingest.accept(heartbeats("b"), owner)).accepted == 1


def test_there_is_an_end_for_all_users_together() -> None:
    census = Census(Fleet([agent("a"), agent("b", "otto")]), most_each=2, most=2)
    assert census.admit("a", "olga", []) is None
    assert census.admit("c", "olga", []) == (
        "there are 2 agents already, as many as ClaWatch watches; delete some with DELETE /api/agents/:id"
    )


def test_the_fleet_knows_how_many_each_user_has() -> None:
    fleet = Fleet([agent("a")])
    fleet.apply(Committed((), {"a": agent("a"), "b": agent("b")}))
    assert fleet.owned_by("olga") == 2
    fleet.apply(Committed((), {"a": None, "x": None}))
    assert fleet.owned_by("olga") == 1
    fleet.apply(Committed((), {"b": agent("b", "otto")}))
    assert (fleet.owned_by("olga"), fleet.owned_by("otto")) == (0, 1)
