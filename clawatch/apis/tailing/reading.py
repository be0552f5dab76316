"""Complete lines from where a position stands: so many bytes at a time, whatever the file holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

CHUNK = 1024 * 1024
LONGEST = 8 * 1024 * 1024
"""Bytes of a line that is still read. Longer ones are skipped and counted."""


class Line(NamedTuple):
    data: bytes
    """Without its end."""
    offset: int
    """Where it begins in the file."""


class Part(Struct, frozen=True, kw_only=True):
    """What one turn at a file brought."""

    data: bytes
    """Complete lines with their ends, or nothing."""
    start: int
    """Where ``data`` begins in the file."""
    offset: int
    """Where to go on: the file is read up to here."""
    scanned: int
    """Up to here there is no end of a line after ``offset``; not to be looked through again."""
    is_skipping: bool = False
    skipped: int = 0
    """Lines that turned out to be too long."""
    has_more: bool = False
    """Whether the file may hold more that can be read now."""


def read_part(
    file: int, offset: int, scanned: int, is_skipping: bool, chunk: int = CHUNK, longest: int = LONGEST
) -> Part:
    """The next complete lines, about ``chunk`` bytes of them, or as much of a long line as there is."""
    scanned = max(scanned, offset)
    looked_at = os.pread(file, chunk, scanned)
    has_more = len(looked_at) == chunk
    first = looked_at.find(b"\n")
    if first < 0:
        return _without_end(offset, scanned, len(looked_at), is_skipping, longest, has_more)
    if is_skipping:
        after = scanned + first + 1
        return Part(data=b"", start=after, offset=after, scanned=after, has_more=has_more or len(looked_at) > first + 1)
    last = looked_at.rfind(b"\n") + 1
    before = os.pread(file, scanned - offset, offset) if scanned > offset else b""
    if len(before) != scanned - offset:  # cut off in this moment
        return Part(data=b"", start=offset, offset=offset, scanned=offset, has_more=False)
    end = scanned + last
    return Part(data=before + looked_at[:last], start=offset, offset=end, scanned=end, has_more=has_more)


def _without_end(
    offset: int, scanned: int, looked_at: int, is_skipping: bool, longest: int, has_more: bool
) -> Part:
    end = scanned + looked_at
    if is_skipping or end - offset > longest:
        return Part(
            data=b"", start=end, offset=end, scanned=end, is_skipping=True,
            skipped=0 if is_skipping else 1, has_more=has_more,
        )  # fmt: skip
    # What was less than a full chunk is looked through again: its writer may take it back.
    return Part(data=b"", start=offset, offset=offset, scanned=end if has_more else scanned, has_more=has_more)


def lines_of(part: Part, wants: Sequence[bytes] = (), longest: int = LONGEST) -> Iterator[Line]:
    """The lines that hold one of the words (all, where none is named); empty and too long ones left out."""
    data = part.data
    if wants and not any(word in data for word in wants):
        return
    offset = part.start
    for line in data.split(b"\n"):
        if line and len(line) <= longest and (not wants or any(word in line for word in wants)):
            yield Line(line.removesuffix(b"\r"), offset)
        offset += len(line) + 1
