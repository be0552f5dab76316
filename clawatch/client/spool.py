"""The spool: events that could not be sent, kept on disk until they can.

Each process appends to files of its own, which it holds locked; a file that nobody holds is anybody's to
replay, so what a process left behind is sent by the next. All of it together stays below a limit; the oldest
goes first (beside it each living process may hold one unfinished file of an eighth of the limit).
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

try:
    import fcntl
except ImportError:  # Windows has no such locks: there every file is taken to be free
    fcntl = None  # type: ignore[assignment]

DEFAULT_LIMIT = 16 * 1024 * 1024
_MAX_CHUNK = 512 * 1024
_MAX_LINES = 500


def default_root() -> Path:
    """``$XDG_STATE_HOME/clawatch/spool``."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "clawatch" / "spool"


def folder(root: Path, url: str, agent: str) -> Path:
    """Where events of this agent for that server wait."""
    digest = hashlib.sha256(f"{url}\0{agent}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", agent)[:60]
    return root / f"{readable}-{digest}"


class _Segment(NamedTuple):
    path: Path
    file: IO[bytes]


class Spool:
    """Lines on disk. Raises OSError where the disk refuses; safe for several threads and processes."""

    def __init__(self, path: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._writing: _Segment | None = None
        self._reading: _Segment | None = None
        self._chunk_start = 0
        self._created = 0

    def add(self, lines: Sequence[bytes]) -> None:
        """Keep lines (without newlines), then drop the oldest files above the limit."""
        with self._lock:
            for line in lines:
                if len(line) < self._limit:
                    self._append(line + b"\n")
            self._trim()

    def peek(self) -> list[bytes]:
        """The oldest lines that no other process holds, at most a batch; empty when there are none.

        The same lines again until ``drop`` says that they were taken.
        """
        with self._lock:
            while self._reading is not None or self._claim():
                lines = self._chunk()
                if lines:
                    return lines
                self._finish()
            return []

    def drop(self) -> None:
        """The lines of the last ``peek`` are done with."""
        with self._lock:
            if self._reading is None:
                return
            self._chunk_start = self._reading.file.tell()
            if not self._reading.file.read(1):
                self._finish()

    def close(self) -> None:
        """Let go of every file; what is in them waits for the next process."""
        with self._lock:
            self._close(self._writing)
            self._close(self._reading)
            self._writing = self._reading = None

    def forget(self) -> None:
        """In a forked child: the files are the parent's, and its lock may never be released here."""
        self._lock = threading.Lock()
        self.close()

    def _append(self, line: bytes) -> None:
        if self._writing is not None and self._writing.file.tell() + len(line) > self._limit // 8:
            self._close(self._writing)
            self._writing = None
        if self._writing is None:
            self._writing = self._create()
        self._writing.file.write(line)

    def _create(self) -> _Segment:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._created += 1
        path = self.path / f"{time.time_ns():020d}-{os.getpid()}-{self._created}.ndjson"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        _lock(fd)
        return _Segment(path, os.fdopen(fd, "wb", buffering=0))

    def _chunk(self) -> list[bytes]:
        assert self._reading is not None
        file = self._reading.file
        file.seek(self._chunk_start)
        lines: list[bytes] = []
        size = 0
        while len(lines) < _MAX_LINES and size < _MAX_CHUNK and (line := file.readline()):
            size += len(line)
            if line.endswith(b"\n") and len(line) > 1:  # a crash may have left half a line at the end
                lines.append(line[:-1])
        return lines

    def _claim(self) -> bool:
        """Take hold of the oldest file that nobody else holds, our own unfinished one included."""
        for path in self._files():
            if self._writing is not None and path == self._writing.path:
                self._close(self._writing)
                self._writing = None
            file = _take(path)
            if file is not None:
                self._reading = _Segment(path, file)
                self._chunk_start = 0
                return True
        return False

    def _finish(self) -> None:
        assert self._reading is not None
        self._reading.path.unlink(missing_ok=True)
        self._close(self._reading)
        self._reading = None

    def _trim(self) -> None:
        sizes = {path: _size(path) for path in self._files()}
        excess = sum(sizes.values()) - self._limit
        for path, size in sizes.items():
            if excess <= 0:
                return
            if self._discard(path):
                excess -= size

    def _discard(self, path: Path) -> bool:
        if self._writing is not None and path == self._writing.path:
            return False
        if self._reading is not None and path == self._reading.path:
            self._finish()
            return True
        file = _take(path)
        if file is None:
            return False
        path.unlink(missing_ok=True)
        file.close()
        return True

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("*.ndjson"))

    @staticmethod
    def _close(segment: _Segment | None) -> None:
        if segment is not None:
            segment.file.close()


def _take(path: Path) -> IO[bytes] | None:
    """The file, locked by us; None when somebody holds it or has replayed it meanwhile."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    if not _lock(file.fileno()) or os.fstat(file.fileno()).st_nlink == 0:
        file.close()
        return None
    return file


def _lock(fd: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
