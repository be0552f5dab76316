"""A cgroup of our own (version 2), where we may make one: whoever is in it can be frozen at one stroke."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_LOOK = 0.01
_PREFIX = "clawatch-wrap-"


class Freezer:
    """Every process below the command is born into it. All methods are safe when it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls) -> Freezer | None:
        """A new cgroup below our own; None where there is no cgroup v2 or we may not."""
        parent = _own_cgroup()
        if parent is None:
            return None
        _sweep(parent)
        path = parent / f"{_PREFIX}{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            return None
        freezer = cls(path)
        if not (path / "cgroup.freeze").exists():
            freezer.remove()
            return None
        return freezer

    def enter(self) -> None:
        """Put the calling process in; for the child between fork and exec."""
        with suppress(OSError):
            (self.path / "cgroup.procs").write_text("0")

    def members(self) -> set[int]:
        """Pids in it and in the cgroups below it."""
        pids: set[int] = set()
        for path in (self.path, *self.path.glob("**/")):
            with suppress(OSError, ValueError):
                pids.update(int(line) for line in (path / "cgroup.procs").read_text().split())
        return pids

    def freeze(self, timeout: float = 1.0) -> bool:
        """Whether all of it stands still."""
        return self._write("cgroup.freeze", "1") and self._wait("frozen 1", timeout)

    def thaw(self, timeout: float = 1.0) -> bool:
        return self._write("cgroup.freeze", "0") and self._wait("frozen 0", timeout)

    def kill(self) -> bool:
        """SIGKILL to all of it at once (Linux 5.14)."""
        return self._write("cgroup.kill", "1")

    def remove(self) -> None:
        with suppress(OSError):
            self.path.rmdir()

    def _write(self, file: str, value: str) -> bool:
        try:
            (self.path / file).write_text(value)
        except OSError:
            return False
        return True

    def _wait(self, line: str, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while True:
            try:
                if line in (self.path / "cgroup.events").read_text().splitlines():
                    return True
            except OSError:
                return False
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)


def _sweep(parent: Path) -> None:
    """Remove what a killed wrap left behind; a cgroup that somebody lives in refuses."""
    for path in parent.glob(f"{_PREFIX}*"):
        if not Path("/proc", path.name.removeprefix(_PREFIX)).exists():
            Freezer(path).remove()


def _own_cgroup() -> Path | None:
    """The directory of the cgroup (version 2) that we are in."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in groups if line.startswith("0::")), None)
    if own is None:
        return None
    for line in mounts:
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, point = before.split()[3:5]
            relative = own.removeprefix(root.rstrip("/")).lstrip("/")
            return Path(point) / relative
    return None
