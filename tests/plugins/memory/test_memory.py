from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import clawatch_plugins.memory as plugin
import pytest

from clawatch.ports import StorePort
from clawatch.testing.memory import MemoryStore
from clawatch.testing.store_contract import StoreContract
from clawatch.testing.store_contract.examples import NOW, event, spend


class TestMemoryStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[StorePort]:
        [store_type] = plugin.register_stores()
        async with store_type.open(store_type.settings(), tmp_path) as store:
            yield store


async def test_the_memory_store_forgets_what_exceeds_its_size() -> None:
    store = MemoryStore(size=50)
    for n in range(120):
        await store.append([event(id=str(n), at=NOW + n)], NOW + n)
    assert (store.tail, store.head) == (71, 120)
    assert [one.is_new for one in await store.append([event(id="119"), event(id="0")], NOW)] == [False, True]


async def test_sums_survive_what_the_memory_store_forgets() -> None:
    store = MemoryStore(size=50)
    for n in range(200):
        await store.append([spend(at=NOW + n * 60_000)], NOW + n * 60_000)
    [line] = (await store.costs(None, None, ("*",))).lines
    assert line.cost == 200_000_000_000
    assert (await store.costs(NOW + 90_000, None, ("*",))).resolution == "hour"
