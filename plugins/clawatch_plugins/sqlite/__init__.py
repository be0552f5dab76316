"""The store in one SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from clawatch.hookspecs import hookimpl
from clawatch.ports import StorePort, StoreType
from clawatch.settings import Settings


class SqliteSettings(Settings):
    path: Path | None = None
    """The file; ``clawatch.db`` in the data directory when not set."""
    durability: Literal["full", "normal"] = "full"
    """``full``: on the disk before it is acknowledged. ``normal``: survives a crash of ours, not a power cut."""


@asynccontextmanager
async def open_sqlite(settings: SqliteSettings, data_dir: Path) -> AsyncIterator[StorePort]:
    from clawatch_plugins.sqlite.store import SqliteStore

    path = data_dir / "clawatch.db" if settings.path is None else settings.path.expanduser()
    store = await SqliteStore.open(path, durability=settings.durability)
    try:
        yield store
    finally:
        await store.close()


@hookimpl
def register_stores() -> list[StoreType]:
    return [StoreType("sqlite", SqliteSettings, open_sqlite)]
