from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clawatch_plugins.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clawatch.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, busy_timeout=0.1)
    yield store
    await store.close()
