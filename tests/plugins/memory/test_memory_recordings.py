from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import clawatch_plugins.memory as plugin
import pytest

from clawatch.ports import RecordingsStore
from clawatch.testing.recordings_contract import RecordingsContract


class TestMemoryRecordings(RecordingsContract):
    @pytest.fixture
    async def recordings(self, tmp_path: Path) -> AsyncIterator[RecordingsStore]:
        [store_type] = plugin.register_stores()
        async with store_type.open(store_type.settings(), tmp_path) as store:
            yield store.recordings
