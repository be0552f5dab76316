from __future__ import annotations

from pathlib import Path

import pytest

from clawatch.domain.alerts import AlertState
from clawatch.domain.commands import CommandState
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis
from clawatch.ports import EventFilter, Invalid, RetentionPolicy, StorePort
from clawatch.testing.store_contract.examples import (
    NOW,
    agent_named,
    alert,
    alerts_unit,
    command,
    commands_unit,
    cost_of,
    event,
    spend,
)

POLICY = RetentionPolicy(events=30 * DAY, minutes=31 * DAY, hours=400 * DAY, alerts=400 * DAY)


async def prune_all(store: StorePort, now: Millis, policy: RetentionPolicy = POLICY) -> None:
    for _ in range(1_000):
        if not await store.prune(policy, now, 100):
            return
    raise AssertionError("pruning never comes to an end")


class UpkeepContract:
    """Retention, backup, health."""

    async def test_old_entries_go_in_chunks_and_young_ones_stay(self, store: StorePort) -> None:
        await store.append([event(id=f"old{i}") for i in range(25)], NOW)
        await store.append([event(id="young", at=NOW + DAY)], NOW + DAY)
        now = NOW + 30 * DAY + 1
        gone = [await store.prune(POLICY, now, 10) for _ in range(4)]
        assert gone == [10, 10, 5, 0]
        assert (store.tail, store.head) == (26, 26)
        assert [entry.seq for entry in await store.read(0, 10)] == [26]
        assert len((await store.events(EventFilter(), None, 50)).items) == 1
        assert await store.seq_before(NOW) == 25

    async def test_an_emptied_journal_goes_on_counting(self, store: StorePort) -> None:
        await store.append([event(id="e1"), event(id="e2")], NOW)
        await prune_all(store, NOW + 40 * DAY)
        assert (store.head, store.tail) == (2, 3)
        assert await store.read(0, 10) == []
        later = NOW + 40 * DAY
        assert [(one.seq, one.is_new) for one in await store.append([event(id="e1", at=later)], later)] == [(3, True)]

    async def test_agents_and_totals_outlive_their_events(self, store: StorePort) -> None:
        await store.append([spend()], NOW)
        await prune_all(store, NOW + 1_000 * DAY)
        assert (await agent_named(store, "a")).cost == 1_000_000_000
        costs = await store.costs(None, None, ("*",))
        assert (cost_of(costs), costs.resolution) == (1_000_000_000, "exact")

    async def test_pruned_grains_widen_the_bounds_and_say_so(self, store: StorePort) -> None:
        instants = [NOW + 10 * SECOND, NOW + 50 * SECOND, NOW + 30 * MINUTE, NOW + 5 * HOUR]
        await store.append([spend(at=at) for at in instants], NOW + 5 * HOUR)
        since = NOW + 20 * SECOND

        async def costs(now: Millis) -> tuple[int, str]:
            await prune_all(store, now)
            found = await store.costs(since, NOW + DAY, ("*",))
            return cost_of(found) // 1_000_000_000, found.resolution

        assert await costs(NOW + 5 * HOUR) == (3, "exact")
        assert await costs(NOW + 30 * DAY + 6 * HOUR) == (4, "minute")
        since = NOW + 2 * MINUTE
        assert await costs(NOW + 30 * DAY + 6 * HOUR) == (2, "exact")
        assert await costs(NOW + 31 * DAY + 6 * HOUR) == (4, "hour")
        assert await costs(NOW + 401 * DAY) == (4, "day")

    async def test_what_is_pruned_twice_stays_pruned(self, store: StorePort) -> None:
        """A late event of a pruned minute counts in the coarser sums and is swept again."""
        now = NOW + 500 * DAY
        await store.append([spend(at=NOW)], now)
        await prune_all(store, now)
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000
        assert await store.series(NOW, NOW + HOUR, MINUTE, "", ("*",)) == []
        assert len(await store.series(NOW - NOW % DAY, NOW + DAY, DAY, "", ("*",))) == 1

    async def test_resolved_alerts_and_final_commands_go_and_open_ones_stay(self, store: StorePort) -> None:
        gone = alert("resolved", state=AlertState.RESOLVED, resolved_at=NOW)
        await store.commit(alerts_unit(gone, alert("firing"), alert("pending", state=AlertState.PENDING)), NOW)
        await store.commit(commands_unit(command("final", state=CommandState.FAILED), command("open")), NOW)
        await prune_all(store, NOW + 399 * DAY)
        assert await store.alert("resolved") is not None
        await prune_all(store, NOW + 401 * DAY)
        assert (await store.alert("resolved"), await store.command("final")) == (None, None)
        assert {one.id for one in await store.open_alerts()} == {"firing", "pending"}
        assert [one.id for one in await store.open_commands()] == ["open"]

    async def test_a_session_that_goes_on_is_still_taken_over(self, store: StorePort) -> None:
        for day in range(0, 61, 20):
            await store.append([spend(at=NOW + day * DAY, session_id="s", rank=1)], NOW + day * DAY)
            await prune_all(store, NOW + day * DAY)
        await store.append([spend(at=NOW + 61 * DAY, session_id="s", rank=2)], NOW + 61 * DAY)
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000

    async def test_a_session_idle_for_too_long_is_forgotten(self, store: StorePort) -> None:
        await store.append([spend(session_id="s", rank=3)], NOW)
        later = NOW + 31 * DAY
        await prune_all(store, later)
        await store.append([spend(at=later, session_id="s", rank=1)], later)
        assert cost_of(await store.costs(None, None, ("*",))) == 2_000_000_000
        assert cost_of(await store.costs(later, later, ("*",))) == 1_000_000_000

    async def test_a_backup_is_written_and_overwrites_nothing(self, store: StorePort, tmp_path: Path) -> None:
        await store.append([event()], NOW)
        target = tmp_path / "backup"
        await store.backup(target)
        size = target.stat().st_size
        assert size > 0
        with pytest.raises(Invalid):
            await store.backup(target)
        assert target.stat().st_size == size

    async def test_a_working_store_is_healthy(self, store: StorePort) -> None:
        await store.append([event()], NOW)
        assert (await store.health()).ok
