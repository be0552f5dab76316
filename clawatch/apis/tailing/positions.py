"""How far a file has been read, and how one tells that it is still the same file.

A path says little: files are rotated, rewritten and cut off, and inode numbers are given out again. So a position
carries a fingerprint of what was read: the file's head, and the bytes just before the offset.
"""

from __future__ import annotations

import os
from hashlib import blake2b

import msgspec
from msgspec import Struct

from clawatch.apis.tailing.folder import Seen

HEAD = 256
TAIL = 64


class Position(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={
    "device": "d", "inode": "i", "offset": "o", "head": "f", "tail": "t", "past": "p", "is_skipping": "s", "note": "n",
}):  # fmt: skip
    """``offset`` is where the next line begins, or goes on while ``is_skipping`` one that is too long."""

    device: int
    inode: int
    offset: int = 0
    head: str = ""
    tail: str = ""
    past: int = 0
    """What stands before it was there at the first start of all: history."""
    is_skipping: bool = False
    note: str = ""
    """What the reader of the lines has to know to go on from here."""


def encode(position: Position) -> str:
    return msgspec.json.encode(position).decode()


def decode(mark: str) -> Position | None:
    """None for a mark that is none of ours."""
    try:
        return msgspec.json.decode(mark, type=Position)
    except (msgspec.DecodeError, ValueError):
        return None


def fingerprint(file: int, offset: int) -> tuple[str, str]:
    """Of the file's head and of what stands before ``offset``."""
    head, tail = min(HEAD, offset), min(TAIL, offset)
    return _hash(os.pread(file, head, 0), head), _hash(os.pread(file, tail, offset - tail), tail)


def _hash(data: bytes, expected: int) -> str:
    return blake2b(data, digest_size=8).hexdigest() if data and len(data) == expected else ""


def goes_on(file: int, size: int, position: Position) -> bool:
    """Whether what was read up to the position still stands in this file."""
    if size < position.offset:
        return False
    return (position.head, position.tail) in (("", ""), fingerprint(file, position.offset))


def is_same_file(position: Position, found: Seen) -> bool:
    return (position.device, position.inode) == (found.device, found.inode)
