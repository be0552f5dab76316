"""Places in a list that is read page by page, newest first."""

from __future__ import annotations

from typing import NamedTuple

from clawatch.domain.time import Millis


class Place(NamedTuple):
    """Where a page ended: ordered by time, then by id, so that equal times neither repeat nor vanish."""

    at: Millis
    id: str

    def __str__(self) -> str:
        return f"{self.at}.{self.id}"


def parse_place(cursor: str) -> Place:
    """A cursor as ``str(place)`` made it; raises ValueError for anything else."""
    at, _, name = cursor.partition(".")
    if not name:
        raise ValueError("this cursor was not made here")
    return Place(parse_number(at), name)


def parse_number(cursor: str) -> int:
    """A cursor that is a plain number; raises ValueError for anything else."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise ValueError("this cursor was not made here")
    return int(cursor)
