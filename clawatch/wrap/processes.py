"""Processes as ``/proc`` shows them: who descends from whom, in what state, and signals that reach the right one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()
_TICKS = os.sysconf("SC_CLK_TCK") if HAS_PROC else 100
_AT_REST = frozenset("TtZX")
"""Stopped, stopped by a tracer, or dead: runs no code."""


class Process(NamedTuple):
    pid: int
    started: int
    """Ticks since boot; with the pid it names the process for good."""
    parent: int
    name: str
    state: str
    cpu: float
    """Seconds, those of its ended and reaped children included."""

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.started

    @property
    def is_dead(self) -> bool:
        return self.state in "ZX" and not _other_threads(self.pid)

    @property
    def is_at_rest(self) -> bool:
        """Whether no thread of it can run."""
        return self.state in _AT_REST and all(_thread_state(path) in _AT_REST for path in _other_threads(self.pid))

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def read(pid: int) -> Process | None:
    """The process as it is now; None when it is gone (or hidden from us)."""
    fields = _stat(PROC / str(pid) / "stat")
    if fields is None:
        return None
    name, rest = fields
    cpu = sum(int(ticks) for ticks in rest[11:15]) / _TICKS
    return Process(pid, int(rest[19]), int(rest[1]), name, rest[0], cpu)


def descendants(root: int) -> dict[int, Process]:
    """Every process below ``root``, parents before their children, zombies included.

    One look: what forks meanwhile may be missed.
    """
    children: dict[int, list[Process]] = {}
    for process in _all():
        children.setdefault(process.parent, []).append(process)
    found: dict[int, Process] = {}
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child.pid not in found and child.pid != root:
                found[child.pid] = child
                waiting.append(child.pid)
    return found


def send(process: Process, number: signal.Signals) -> str | None:
    """Signal exactly this process, never a later one of the same pid. None: sent, or gone; else why not."""
    try:
        handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return None
    except OSError:  # a kernel without pidfds
        handle = None
    try:
        now = read(process.pid)
        if now is None or now.started != process.started:
            return None
        if handle is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        if handle is not None:
            os.close(handle)
    return None


def written(pid: int) -> int | None:
    """Bytes it has written since it began, to anything, its reaped children included; None when not told."""
    try:
        lines = (PROC / str(pid) / "io").read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), None)


def _all() -> Iterable[Process]:
    for entry in os.listdir(PROC):  # noqa: PTH208 names are all that is needed, of hundreds
        if entry.isdigit() and (process := read(int(entry))) is not None:
            yield process


def _stat(path: Path) -> tuple[str, list[str]] | None:
    """Name and the fields from the state on (proc(5)); the name may hold anything, parentheses too."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    begin, end = raw.find(b"("), raw.rfind(b")")
    return raw[begin + 1 : end].decode("utf-8", "replace"), raw[end + 2 :].decode("ascii", "replace").split()


def _other_threads(pid: int) -> list[Path]:
    """Stat files of its threads besides the first that are alive."""
    task = PROC / str(pid) / "task"
    try:
        threads = [name for name in os.listdir(task) if name != str(pid)]  # noqa: PTH208
    except OSError:
        return []
    return [task / name / "stat" for name in threads]


def _thread_state(path: Path) -> str:
    fields = _stat(path)
    return "X" if fields is None else fields[1][0]
