"""What sources have marked: durable, and small."""

from __future__ import annotations

from collections.abc import Mapping

from clawatch.ports import Invalid, StorePort

MAX_NAME = 4_096
"""Characters: names are often paths."""
MAX_VALUE = 16_384


class Marks:
    """See ``ports.MarksPort``."""

    def __init__(self, store: StorePort) -> None:
        self._store = store

    async def read(self, source: str) -> dict[str, str]:
        return await self._store.marks(source)

    async def write(self, source: str, changes: Mapping[str, str | None]) -> None:
        for name, value in changes.items():
            if len(name) > MAX_NAME or len(value or "") > MAX_VALUE:
                raise Invalid(f"a mark of {source} is too large: its name or value belongs elsewhere")
        if changes:
            await self._store.put_marks(source, changes)
