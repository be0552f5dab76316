from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import clawatch_plugins.sqlite as plugin
import pytest

from clawatch.ports import StorePort
from clawatch.testing.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[StorePort]:
        [store_type] = plugin.register_stores()
        async with store_type.open(store_type.settings(durability="normal"), tmp_path / "data") as store:
            yield store
