"""The settings of a source that follows files, and what ``clawatch doctor`` says of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from clawatch.apis.tailing.files import Followed, Reader
from clawatch.apis.tailing.folder import Folder
from clawatch.domain.remarks import Remark, fine, warning
from clawatch.domain.time import DAY, say_duration
from clawatch.domain.words import count_of
from clawatch.settings import Duration, Settings, Surroundings


class FilesSettings(Settings):
    """Inherit, and say where the files usually are and what they are called."""

    usual: ClassVar[tuple[str, ...]] = ()
    """Folders, below ``~`` or by an environment variable (``$NAME/…``; left out where that is not set)."""
    patterns: ClassVar[tuple[str, ...]] = ("**/*.jsonl",)
    exclude: ClassVar[tuple[str, ...]] = ()

    paths: tuple[str, ...] = ()
    """Instead of the usual folders; ``~`` is the home of the user that runs ClaWatch."""
    since: Duration = 7 * DAY
    """How far back history is read at the first start."""

    def folders(self) -> list[Folder]:
        """The folders to follow; of the usual ones those that are there, or all where none is."""
        roots = [Path(path).expanduser() for path in self.paths] or _usual(self.usual)
        return [Folder(root, self.patterns, self.exclude) for root in roots]

    def followed(
        self, source: str, open: Callable[[str, str], Reader], wants: Sequence[bytes] = ()
    ) -> list[Followed]:
        """What to ``follow``: each folder with marks of its own, so that another one begins with its history."""
        return [
            Followed(f"{source}:{folder.root}", folder, open, tuple(wants), self.since, source)
            for folder in self.folders()
        ]

    async def examine(self, surroundings: Surroundings) -> Sequence[Remark]:
        """See ``settings.Settings.examine``."""
        return [await asyncio.to_thread(_examine, folder, self.since) for folder in self.folders()]


def _usual(places: Sequence[str]) -> list[Path]:
    expanded = [Path(os.path.expandvars(place)).expanduser() for place in places]
    roots = [root for root in dict.fromkeys(expanded) if not str(root).startswith("$")]
    return [root for root in roots if root.is_dir()] or roots[-1:]


def _examine(folder: Folder, since: int) -> Remark:
    root = folder.root
    if not root.is_dir():
        return warning(f"there is no folder {root}", "run the agent once as this user, or set paths to where it writes")
    if not os.access(root, os.R_OK | os.X_OK):
        return warning(f"{root} may not be read", "run ClaWatch as the user whose agents it watches, or give it access")
    files, _ = folder.walk()
    if not files:
        return warning(f"{root} holds no session yet", "run the agent once")
    now = time.time_ns()
    ages = sorted((now - file.mtime) // 1_000_000 for file in files.values())
    young = sum(age <= since for age in ages)
    said = (
        f"{root}: {count_of(len(files), 'session file')}, {young} written within {say_duration(since)}, "
        f"the newest {say_duration(max(0, ages[0]))} ago, the oldest {say_duration(max(0, ages[-1]))} ago"
    )
    if folder.is_full:
        return warning(said + "; there are more than can be followed", "move old ones away")
    return fine(said)
