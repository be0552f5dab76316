"""Settings of the ClawdNet door."""

from __future__ import annotations

from clawatch.domain.time import MINUTE
from clawatch.settings import Rate, RateLimit, Settings


class ClawdNetSettings(Settings):
    rest: Rate | None = RateLimit(100, MINUTE)
    """Requests to the metrics API, per key; the contract's clients read what is left from the answer's head."""
