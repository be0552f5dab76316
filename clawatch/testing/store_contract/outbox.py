from __future__ import annotations

import asyncio

from clawatch.domain.journal import Unit
from clawatch.domain.time import MINUTE, SECOND
from clawatch.ports import StorePort
from clawatch.testing.store_contract.examples import NOW, outgoing

LEASE = 2 * MINUTE


class OutboxContract:
    """Claiming by compare-and-set, in order per thread, until settled."""

    async def claimed(self, store: StorePort, now: int = NOW, holder: str = "h", notifier: str = "n") -> list[str]:
        return [row.id for row in await store.claim(notifier, now, 10, now + LEASE, holder)]

    async def test_a_row_comes_back_as_it_was_written(self, store: StorePort) -> None:
        row = outgoing("o1", text="*bold* <b>", data={"count": 3}, agent_id="a", rule="loop")
        await store.commit(Unit(outbox=(row,)), NOW)
        [claimed] = await store.claim("n", NOW, 10, NOW + LEASE, "h")
        assert claimed.attempts == 1
        assert (claimed.id, claimed.text, claimed.data, claimed.rule) == ("o1", "*bold* <b>", {"count": 3}, "loop")

    async def test_how_much_waits_and_since_when(self, store: StorePort) -> None:
        assert (await store.outbox_size(), await store.outbox_oldest()) == (0, None)
        rows = (outgoing("o1", created_at=NOW - MINUTE), outgoing("o2", notifier="other", created_at=NOW))
        await store.commit(Unit(outbox=rows), NOW)
        assert (await store.outbox_size(), await store.outbox_oldest()) == (2, NOW - MINUTE)
        await self.claimed(store)
        await store.settle("o1", NOW, None, None)
        assert (await store.outbox_size(), await store.outbox_oldest()) == (1, NOW)

    async def test_each_notifier_has_rows_of_its_own(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"), outgoing("o2", notifier="other"))), NOW)
        assert await self.claimed(store) == ["o1"]
        assert await self.claimed(store, notifier="other") == ["o2"]
        assert await self.claimed(store, notifier="none") == []

    async def test_a_thread_gives_only_its_oldest_row(self, store: StorePort) -> None:
        rows = (outgoing("o1", "t1"), outgoing("o2", "t1"), outgoing("o3", "t2"))
        await store.commit(Unit(outbox=rows), NOW)
        assert await self.claimed(store) == ["o1", "o3"]
        await store.settle("o3", NOW, None, None)
        assert await self.claimed(store) == ["o1"]
        await store.settle("o1", NOW, None, None)
        assert await self.claimed(store) == ["o2"]

    async def test_the_oldest_row_of_a_thread_holds_up_the_others(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1", next_at=NOW + MINUTE), outgoing("o2"))), NOW)
        assert await self.claimed(store) == []
        assert await self.claimed(store, NOW + MINUTE) == ["o1"]

    async def test_the_limit_takes_the_oldest(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=tuple(outgoing(f"o{i}", f"t{i}") for i in range(5))), NOW)
        claimed = await store.claim("n", NOW, 2, NOW + LEASE, "h")
        assert [row.id for row in claimed] == ["o0", "o1"]

    async def test_of_many_claimers_one_gets_the_row(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"),)), NOW)
        results = await asyncio.gather(*(self.claimed(store, holder=f"h{i}") for i in range(20)))
        assert sorted(results, key=len)[-1] == ["o1"]
        assert sum(len(result) for result in results) == 1

    async def test_a_claim_runs_out(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"),)), NOW)
        assert await self.claimed(store, NOW, "crashed") == ["o1"]
        assert await self.claimed(store, NOW + LEASE - 1, "next") == []
        [row] = await store.claim("n", NOW + LEASE, 10, NOW + 2 * LEASE, "next")
        assert (row.id, row.attempts) == ("o1", 2)

    async def test_a_row_is_tried_again_when_it_is_told_to(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"), outgoing("o2"))), NOW)
        await self.claimed(store)
        await store.settle("o1", NOW, NOW + 5 * SECOND, None)
        assert await self.claimed(store, NOW + 5 * SECOND - 1, "other") == []
        [row] = await store.claim("n", NOW + 5 * SECOND, 10, NOW + LEASE, "other")
        assert (row.id, row.attempts) == ("o1", 2)

    async def test_settling_keeps_the_reference_of_the_thread(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"), outgoing("o2"))), NOW)
        assert await store.ref("n", "t") is None
        await self.claimed(store)
        await store.settle("o1", NOW, None, "message 7")
        assert await store.ref("n", "t") == "message 7"
        assert (await store.ref("n", "other"), await store.ref("other", "t")) == (None, None)
        await self.claimed(store)
        await store.settle("o2", NOW, None, None)
        assert await store.ref("n", "t") == "message 7"
        assert await store.outbox_size() == 0

    async def test_a_row_written_again_replaces_the_one_that_waits(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("sum", text="3 more"),)), NOW)
        await store.commit(Unit(outbox=(outgoing("sum", text="4 more", next_at=NOW + SECOND),)), NOW)
        assert await store.outbox_size() == 1
        assert await self.claimed(store) == []
        [row] = await store.claim("n", NOW + SECOND, 10, NOW + LEASE, "h")
        assert row.text == "4 more"

    async def test_a_row_replaced_while_it_is_delivered_is_delivered_anew(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("sum", text="3 more"),)), NOW)
        await self.claimed(store)
        await store.commit(Unit(outbox=(outgoing("sum", text="4 more"),)), NOW)
        await store.settle("sum", NOW, None, "message 1")
        [row] = await store.claim("n", NOW, 10, NOW + LEASE, "h")
        assert (row.text, await store.ref("n", "t")) == ("4 more", "message 1")

    async def test_settling_twice_does_nothing(self, store: StorePort) -> None:
        await store.commit(Unit(outbox=(outgoing("o1"),)), NOW)
        await self.claimed(store)
        await store.settle("o1", NOW, None, None)
        await store.settle("o1", NOW, NOW, "late")
        await store.settle("unknown", NOW, None, None)
        assert await store.outbox_size() == 0
