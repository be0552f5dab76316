"""Progress: whether the processes below us did anything since the last look."""

from __future__ import annotations

import os
import resource

from clawatch.wrap import processes

_BUSY = 0.1
"""Seconds of CPU between two looks that count as work; waking up to look at a clock does not."""


class Progress:
    """Output is what the kernel counts as written by them, wherever to; CPU is that of all, living and ended."""

    def __init__(self) -> None:
        self._cpu = 0.0
        self._written: dict[tuple[int, int], int] = {}

    def was_made(self) -> bool:
        """Since the last call (at first: since the start)."""
        family = processes.descendants(os.getpid())
        return any([self._has_written(family), self._has_computed(family)])

    def _has_computed(self, family: dict[int, processes.Process]) -> bool:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        before, self._cpu = self._cpu, ended.ru_utime + ended.ru_stime + sum(one.cpu for one in family.values())
        return self._cpu - before > _BUSY

    def _has_written(self, family: dict[int, processes.Process]) -> bool:
        before, self._written = self._written, {}
        for process in family.values():
            count = processes.written(process.pid)
            if count is not None:
                self._written[process.identity] = count
        return any(count > before.get(identity, 0) for identity, count in self._written.items())
