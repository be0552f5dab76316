"""Supervision: the service manager hears how we are, and that we live only while every loop gets on.

A timer that pings by itself would vouch for a daemon whose writer hangs. So the pings ask the pulse, and the pulse
knows nothing but what the loops have said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from structlog.typing import FilteringBoundLogger

from clawatch.domain.metrics import Metrics
from clawatch.pulse import Pulse
from clawatch.systemd import ServiceManager

LOOK_EVERY = 5.0
"""Seconds, where nobody watches us: late loops are logged all the same."""
RELOAD_WITHIN = 120.0
"""Seconds that a reload may take before we count as hung."""
RELOAD = "reload"


class Supervision:
    def __init__(
        self, manager: ServiceManager, pulse: Pulse, metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._manager = manager
        self._pulse = pulse
        self._log = log
        self._late: list[str] = []
        self._status: Callable[[], str] | None = None
        self._reloaded = metrics.gauge("clawatch_config_last_reload_successful", "Whether the last reload took effect")
        self._reloaded.set(1)
        if manager.watchdog is not None:
            pulse.patience = min(pulse.patience, manager.watchdog / 2)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Supervision]:
        """Ping and look while the block runs, then say that we stop."""
        task = asyncio.create_task(self._run(), name="supervision")
        try:
            yield self
        finally:
            self._manager.stopping()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._manager.close()

    def ready(self, status: Callable[[], str]) -> None:
        """We listen; ``status`` is one line that says what there is to see."""
        self._pulse.forget(RELOAD)
        self._status = status
        self._manager.ready(status())

    def stopping(self) -> None:
        self._status = None
        self._manager.stopping()

    def reloading(self) -> None:
        """A configuration that is right is being taken over; ``ready`` follows."""
        self._status = None
        self._pulse.beat(RELOAD, RELOAD_WITHIN)
        self._reloaded.set(1)
        self._manager.reloading()

    def refused(self) -> None:
        """A configuration was not taken over, and the old one stays."""
        self._reloaded.set(0)

    def look(self) -> None:
        """Ping, if every loop gets on."""
        late = self._pulse.late()
        if late and late != self._late:
            self._log.error("pulse.late", loops=", ".join(late))
        elif self._late and not late:
            self._log.warning("pulse.again")
        self._late = late
        if late:
            self._manager.say(f"stalled: {', '.join(late)}")
            return
        self._manager.ping()
        if self._status is not None:
            self._manager.say(self._status())

    async def _run(self) -> None:
        watchdog = self._manager.watchdog
        pause = LOOK_EVERY if watchdog is None else min(LOOK_EVERY, watchdog / 4)
        while True:
            self.look()
            await asyncio.sleep(pause)
