"""Figures of the machine we run on, for doors that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clawatch.domain.time import SECOND, Millis

if TYPE_CHECKING:
    import psutil

FRESH: Millis = SECOND
"""A reading stands for so long. A load of the processors over less would say little."""


class HostFigures(Struct, frozen=True, kw_only=True):
    cpu_percent: float
    """Of all processors together, 0 to 100, since the reading before; in the first one since the machine started."""
    memory_percent: float
    """Of the machine's memory, what is not available, 0 to 100."""
    process_bytes: int
    """What this process holds in memory."""
    load: float
    """The machine's load average over one minute."""


class Host:
    """Reads at most once a second, however many ask. Make one per door, so that none shortens another's span."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None
        self._figures: HostFigures | None = None
        self._read_at: Millis = 0
        self._busy = 0.0
        self._total = 0.0

    def read(self, mono: Millis) -> HostFigures:
        """Never waits. ``mono`` is monotonic milliseconds."""
        if self._figures is None or mono - self._read_at >= FRESH:
            self._figures = self._read()
            self._read_at = mono
        return self._figures

    def _read(self) -> HostFigures:
        import psutil

        self._process = self._process or psutil.Process()
        return HostFigures(
            cpu_percent=self._cpu_percent(),
            memory_percent=psutil.virtual_memory().percent,
            process_bytes=self._process.memory_info().rss,
            load=psutil.getloadavg()[0],
        )

    def _cpu_percent(self) -> float:
        """By our own samples: psutil keeps one for the whole process, and whoever asks next gets a shorter span."""
        import psutil

        times: dict[str, float] = psutil.cpu_times()._asdict()
        total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)  # within user and nice
        busy = total - times["idle"] - times.get("iowait", 0.0)
        spent, worked = total - self._total, busy - self._busy
        self._total, self._busy = total, busy
        if spent <= 0:
            return 0.0 if self._figures is None else self._figures.cpu_percent
        return round(min(max(100.0 * worked / spent, 0.0), 100.0), 1)
