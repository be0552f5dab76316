"""Time."""

from __future__ import annotations

from typing import Protocol

from clawatch.domain.time import Moment


class Clock(Protocol):
    def now(self) -> Moment:
        """Both clocks at once."""
        ...
