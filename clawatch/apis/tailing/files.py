"""What is to be followed, who reads it, and what is known of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from clawatch.apis.tailing.folder import Folder, Seen
from clawatch.apis.tailing.positions import Position
from clawatch.apis.tailing.reading import Line
from clawatch.domain.events import Event
from clawatch.domain.time import DAY, Millis


class Reader(Protocol):
    """Makes events of one file's lines. Called in a thread; may be thrown away between any two lines."""

    def read(self, line: Line) -> Iterable[Event]:
        """What a line says. An event needs an id or call id that is the same whenever this line is read, else it
        counts twice after a crash or a rewriting; ``source`` and ``origin`` are set afterwards. Whatever is raised
        means that the line is not understood."""
        ...

    @property
    def note(self) -> str:
        """What another reader of this file has to know to go on behind the last line; at most 8 KiB."""
        ...


@dataclass(frozen=True)
class Followed:
    """Files to follow, and how their lines are read."""

    name: str
    """For its marks and the log."""
    folder: Folder
    open: Callable[[str, str], Reader]
    """``open(path, note)``: a reader for the file of this path from the root; ``note`` is empty at its beginning."""
    wants: tuple[bytes, ...] = ()
    """Words of which a line must hold one to be read at all; none: every line is."""
    since: Millis = 7 * DAY
    """How far back history is read at the first start."""
    source: str = ""
    """What its events name as their source; ``name``, where nothing is said."""


@dataclass(slots=True)
class File:
    """What is known of a file."""

    position: Position
    scanned: int = 0
    late_until: int = 0
    """What stands before it was found rather than seen to be written."""
    seen: Seen | None = None
    """As it was when it had been read to its end."""
    missed: int = 0
    """Looks since it was there."""
    leaves_at: Millis | None = None
    """When a renamed file is no longer read."""
    standing: Event | None = None
    """The newest event of the past that says how the agent stands, until the past is through."""


@dataclass
class Counts:
    """What became of lines, and of files."""

    read: int = 0
    broken: int = 0
    too_long: int = 0
    restarted: int = 0
    """Files that were cut off, rewritten or replaced, and are read from their beginning."""


@dataclass
class Batch:
    """Events, and the marks to write once they are accepted."""

    events: list[Event] = field(default_factory=list)
    marks: dict[str, str | None] = field(default_factory=dict)
    size: int = 0
    """Bytes read for it."""
