from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import clawatch_plugins.sqlite as plugin
import pytest

from clawatch.ports import RecordingsStore
from clawatch.testing.recordings_contract import RecordingsContract


class TestSqliteRecordings(RecordingsContract):
    @pytest.fixture
    async def recordings(self, tmp_path: Path) -> AsyncIterator[RecordingsStore]:
        [store_type] = plugin.register_stores()
        async with store_type.open(store_type.settings(durability="normal"), tmp_path / "data") as store:
            yield store.recordings
