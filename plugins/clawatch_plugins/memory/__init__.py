"""The store in memory: nothing outlives the daemon. For trying ClaWatch out, and for machines without a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import Field

from clawatch.hookspecs import hookimpl
from clawatch.ports import StorePort, StoreType
from clawatch.settings import Settings
from clawatch.testing.memory import MemoryStore


class MemorySettings(Settings):
    entries: int = Field(default=100_000, ge=1_000)
    """How many journal entries are kept; older ones are forgotten."""


@asynccontextmanager
async def open_memory(settings: MemorySettings, data_dir: Path) -> AsyncIterator[StorePort]:
    yield MemoryStore(settings.entries)


@hookimpl
def register_stores() -> list[StoreType]:
    return [StoreType("memory", MemorySettings, open_memory)]
