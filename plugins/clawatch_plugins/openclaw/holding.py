"""How it goes with holding paused agents: what was started and aborted again, and what could not be held."""

from __future__ import annotations

from collections import deque

from clawatch.domain.time import MINUTE, SECOND, Millis
from clawatch_plugins.openclaw.stopping import Proof

MOST: int = 20
WINDOW: Millis = 10 * MINUTE
"""A paused agent that is started more often than MOST times within this is said to go on working."""
AGAIN: Millis = 5 * SECOND
LONGEST: Millis = 5 * MINUTE
"""How long an agent is left alone that could not be held; doubled each time, since every try is seen in its chat."""


class Held:
    """One paused agent. Times are on the monotonic clock."""

    def __init__(self) -> None:
        self.is_losing = False
        """It could not be kept from working."""
        self.try_at: Millis = 0
        self._failures = 0
        """In a row."""
        self._aborted: deque[Millis] = deque()

    def lately(self, now: Millis) -> int:
        """How often it was started, and aborted again, within the window."""
        while self._aborted and self._aborted[0] < now - WINDOW:
            self._aborted.popleft()
        return len(self._aborted)

    def tried(self, proof: Proof, now: Millis, is_again: bool) -> None:
        """It was aborted; ``is_again``: after a start while it was paused."""
        if is_again and proof.rung:
            self._aborted.append(now)
        self._failures = 0 if proof.is_stopped else self._failures + 1
        self.try_at = 0 if proof.is_stopped else now + min(AGAIN * 2 ** min(self._failures, 10), LONGEST)
        self.is_losing = not proof.is_stopped or self.lately(now) >= MOST
