"""The machine: what it is, and which core a process runs on."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path

CLIENT_CORE = 1
"""Clients keep to one core, so that what they cost is the same for every server; servers use all there are."""


def pin(core: int) -> None:
    """Keep this process on one core, where there are several and the system allows it."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


def unpin() -> None:
    """Let this process run on every core there is, whatever its parent keeps to: for ``preexec_fn`` of servers."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def describe() -> str:
    cpus = os.cpu_count()
    load = os.getloadavg()[0]
    return (
        f"{_cpu()}, {cpus} cores, {_memory()} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, load at the start {load:.1f}"
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def resident(pid: int) -> int:
    """Bytes of a process's memory that are in RAM."""
    import psutil

    return int(psutil.Process(pid).memory_info().rss)
