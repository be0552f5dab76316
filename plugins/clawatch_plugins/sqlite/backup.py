"""Backing up while the daemon writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from clawatch.ports import ClaWatchError, Invalid
from clawatch_plugins.sqlite.opening import open_reader


def back_up(source: Path, target: Path) -> None:
    """A consistent copy as a file of its own, for its owner alone: it holds keys. Never overwrites."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise Invalid(f"{target} exists; name a new file") from None
    except OSError as error:
        raise ClaWatchError(f"{target} cannot be written: {error.strerror}") from error
    partial = target.with_name(target.name + ".partial")
    try:
        _copy(source, partial)
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        raise ClaWatchError(f"{target} cannot be written: {error}") from error


def _copy(source: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(open_reader(source)) as con, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        # All pages in one step: a step holds its snapshot, and a copy in several begins anew with each commit.
        con.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE")
