"""Opening the file: directories and permissions, connections, and one clear line when it cannot be."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from clawatch.ports import ClaWatchError, StoreUnavailable
from clawatch_plugins.sqlite import schema

SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}
BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process (the command line) that is writing."""
_WAL_LIMIT = 64 * 1024 * 1024


def open_writer(path: Path, durability: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection to a file that is there and up to date. Raises ClaWatchError in one line."""
    try:
        _create(path)
        con = _connect(path, "rw", busy_timeout)
    except OSError as error:
        raise ClaWatchError(
            f"{path} cannot be opened: {error.strerror}; "
            "set data_dir or storage.sqlite.path to a place where ClaWatch may write"
        ) from error
    try:
        schema.prepare(con, path)
        con.execute("PRAGMA journal_mode = WAL")
        con.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        con.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        con.execute("PRAGMA wal_autocheckpoint = 4000")
        con.execute("PRAGMA cache_size = -16000")
        con.execute("PRAGMA temp_store = MEMORY")  # a transaction's undo log would be a file in /var/tmp
    except sqlite3.Error as error:
        con.close()
        raise ClaWatchError(explain(path, error)) from error
    except BaseException:
        con.close()
        raise
    return con


def open_reader(path: Path) -> sqlite3.Connection:
    con = _connect(path, "ro", BUSY_TIMEOUT)
    con.execute("PRAGMA cache_size = -8000")
    return con


def _create(path: Path) -> None:
    """The file and what it lies in, for the daemon's user alone; what is there already keeps its permissions."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(21, "it is a directory", str(path))
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(path: Path, mode: str, busy_timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def explain(path: Path, error: sqlite3.Error) -> str:
    """Why a file cannot be opened, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} is not a SQLite database; move it away, or set storage.sqlite.path to another file"
    if code == sqlite3.SQLITE_CORRUPT:
        return f"{path} is damaged ({error}); restore a backup, or move it away to begin anew"
    if code == sqlite3.SQLITE_BUSY:
        return f"{path} is locked by another program; stop that program and try again"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"{path} cannot be written ({error}); give it and its directory to the user that runs ClaWatch"
    return f"{path} cannot be opened ({error}); check the disk it is on"


class WriterLock:
    """Only one daemon may write a journal. The command line, which writes keys only, does not take it.

    The kernel drops the lock with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> None:
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise StoreUnavailable(
                f"another ClaWatch is running on {self._path.parent}; stop it, or give this one its own data_dir"
            ) from None
        self._file = file

    def drop(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
