"""Statements that write many rows at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_SIZES = (128, 64, 32, 16, 8, 4, 2, 1)
"""Powers of two, so that any number of rows takes few statements."""


class Bulk:
    """``INSERT … VALUES`` of up to 128 rows each.

    Unlike ``executemany`` it gives the interpreter lock away once per statement, not once per row: each time
    it is given away the event loop may keep it for milliseconds.
    """

    def __init__(self, insert: str, width: int, conflict: str = "") -> None:
        row = f"({', '.join('?' * width)})"
        self._statements = tuple(
            (size, f"{insert} VALUES {', '.join([row] * size)} {conflict}") for size in _SIZES
        )  # fmt: skip

    def write(self, con: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        start = 0
        for size, statement in self._statements:
            while len(rows) - start >= size:
                con.execute(statement, tuple(chain.from_iterable(rows[start : start + size])))
                start += size
