"""The machine's clocks."""

from __future__ import annotations

import time

from clawatch.domain.time import Moment


class SystemClock:
    def now(self) -> Moment:
        return Moment(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)
