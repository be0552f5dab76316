"""The journal, read on in pieces as long as it is of a period."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from clawatch.apis.pace import Pace
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError, Core

BATCH = 500


class Pruned(ClaWatchError):
    """The journal does not reach back so far."""


class Journal:
    """Rows behind ``seq``, in order, each once. It gives way to others as it goes."""

    def __init__(self, core: Core, seq: int) -> None:
        self._core = core
        self._store_id = store_id_of(core)
        self._seq = seq
        self._read: deque[Entry] = deque()

    async def before(self, instant: Millis) -> AsyncIterator[Entry]:
        """Those that were written before then. Raises Pruned."""
        pace = Pace()
        while (entry := await self.peek()) is not None and entry.at < instant:
            await pace.step()
            yield self._read.popleft()

    async def through(self, seq: int) -> AsyncIterator[Entry]:
        """Those up to this one. Raises Pruned."""
        pace = Pace()
        while (entry := await self.peek()) is not None and entry.seq <= seq:
            await pace.step()
            yield self._read.popleft()

    async def peek(self) -> Entry | None:
        """The next one, left where it is; None at the end."""
        if not self._read:
            entries = await self._core.queries.after(f"{self._store_id}.{self._seq}", BATCH)
            if entries is None:
                raise Pruned("the journal does not reach back so far")
            if entries:
                self._read.extend(entries)
                self._seq = entries[-1].seq
        return self._read[0] if self._read else None


def store_id_of(core: Core) -> str:
    return core.queries.cursor().rpartition(".")[0]
