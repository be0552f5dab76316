"""Reading OpenClaw's databases without writing a byte beside them.

SQLite's own ``mode=ro`` is not enough: in write-ahead mode a reader marks its place in the ``-shm`` file, and makes
both files where there are none. So the shared memory is opened for reading only; and where there is no ``-wal``,
nobody writes, and the file is read as one that does not change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import quote

Stamp = tuple[int, int, int, int]
"""Sizes and times of a database's files: while they stay, nothing was written."""
_BUSY = 2.0
_PATIENCE = 30.0
"""Seconds for all the queries of one look. Whoever can write the file could make one that never ends."""
_STEPS = 100_000
"""Of SQLite's machine between two looks at the clock."""


def stamp(path: Path) -> Stamp | None:
    """None where there is no database."""
    try:
        main = path.stat()
    except OSError:
        return None
    try:
        wal = wal_of(path).stat()
    except OSError:
        return main.st_mtime_ns, main.st_size, 0, 0
    return main.st_mtime_ns, main.st_size, wal.st_mtime_ns, wal.st_size


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def is_orphaned(path: Path) -> bool:
    """Whether its ``-wal`` holds changes that cannot be read without writing: OpenClaw died, and left no ``-shm``."""
    try:
        return wal_of(path).stat().st_size > 0 and not path.with_name(f"{path.name}-shm").exists()
    except OSError:
        return False


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for a few short queries. Raises sqlite3.Error."""
    how = "mode=ro&readonly_shm=1" if wal_of(path).exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None, timeout=_BUSY, check_same_thread=False
    )
    try:
        deadline = monotonic() + _PATIENCE
        connection.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA trusted_schema = 0")
        yield connection
    finally:
        connection.close()


def columns(connection: sqlite3.Connection, name: str) -> frozenset[str]:
    """A table's columns; none when there is no such table. A view is none: it may compute whatever it likes."""
    rows = connection.execute(
        "SELECT info.name FROM sqlite_master AS it, pragma_table_info(it.name) AS info"
        " WHERE it.type = 'table' AND it.rootpage > 0 AND it.name = ?", (name,),
    )  # fmt: skip
    return frozenset(row[0] for row in rows)
