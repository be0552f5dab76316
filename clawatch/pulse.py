"""The pulse: whether each of the daemon's loops still goes on.

Loops say so themselves, with ``beat``; nothing else does it for them. Who watches over us (the service manager, a
load balancer) is told that we live only while no loop is late. Real time throughout, also where tests turn the clock:
what is watched is whether this process gets on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds a loop may take for one turn, where nobody asked for less."""


class Pulse:
    """Loops by name, each with the instant until which it may be silent. ``patience`` is in seconds."""

    def __init__(self, patience: float = PATIENCE, now: Callable[[], float] = time.monotonic) -> None:
        self.patience = patience
        self._now = now
        self._until: dict[str, float] = {}

    def beat(self, name: str, busy: float = 0.0) -> None:
        """This loop gets on. It may now rest or wait for others for ``busy`` seconds, and has our patience beyond."""
        self._until[name] = self._now() + busy + self.patience

    def forget(self, name: str) -> None:
        """This loop has ended, as it should."""
        self._until.pop(name, None)

    def late(self) -> list[str]:
        """The loops that should have been heard."""
        now = self._now()
        return [name for name, until in self._until.items() if until < now]
