"""Hearing at once of what changes in some folders, where the system tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

STEP = 10
"""Milliseconds without a further change until changes are told; they are told after ten of these at the latest."""
MOST_FOLDERS = 2_000
"""Folders that are watched; the system allows a user some thousands in all. Further ones are only looked at."""
_AGAIN = 60.0


class Watch:
    """``told`` is called with the changed paths, from the root. Links are not followed: each folder is watched alone.

    Everything it does can fail (no such library, a limit of the system, a network drive) and looking remains.
    """

    def __init__(self, root: Path, told: Callable[[Iterable[str]], None]) -> None:
        self._root = root
        self._told = told
        self._folders: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self.is_hearing = False
        """Whether changes are told of now."""

    def over(self, folders: Sequence[str]) -> bool:
        """Watch these from now on; whether they are others than before."""
        wanted = frozenset(folders[:MOST_FOLDERS])
        if wanted == self._folders:
            return False
        self._folders = wanted
        self._changed.set()
        return True

    async def run(self) -> None:
        """Watch, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._folders:
                await self._watch()

    async def _watch(self) -> None:
        try:
            from watchfiles import awatch
        except ImportError:
            return
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it says of each change that there was one
        root = self._root.resolve()
        changes = awatch(
            *(root / folder for folder in self._folders),
            watch_filter=None, debounce=10 * STEP, step=STEP, stop_event=self._changed, recursive=False,
            ignore_permission_denied=True,
        )  # fmt: skip
        self.is_hearing = True
        try:
            async with aclosing(changes):
                async for some in changes:
                    self._told({_relative(path, str(root)) for _, path in some})
        except (OSError, RuntimeError):  # a folder has gone meanwhile, or there are too many
            self.is_hearing = False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _AGAIN)
            self._changed.set()
        finally:
            self.is_hearing = False


def _relative(path: str, root: str) -> str:
    return path.removeprefix(root).lstrip("/")
