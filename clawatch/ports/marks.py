"""How far a source has read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class MarksPort(Protocol):
    """Small durable values of a source: how far it has read. Write them once the events they cover are accepted."""

    async def read(self, source: str) -> dict[str, str]:
        """All of a source's marks, by name."""
        ...

    async def write(self, source: str, changes: Mapping[str, str | None]) -> None:
        """Set and (None) remove some, all or none. Raises StoreUnavailable, or Invalid for one that is not small."""
        ...


class PassingMarks:
    """Marks in memory alone, for a core without a store."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[str, str]] = {}

    async def read(self, source: str) -> dict[str, str]:
        return dict(self._marks.get(source, {}))

    async def write(self, source: str, changes: Mapping[str, str | None]) -> None:
        marks = {**self._marks.get(source, {}), **changes}
        self._marks[source] = {name: value for name, value in marks.items() if value is not None}
