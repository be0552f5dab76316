"""The door's settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clawatch.domain.time import SECOND
from clawatch.settings import Duration, Settings


class DevSkyySettings(Settings):
    anonymous_websocket: Literal["loopback", "always", "never"] = "loopback"
    """Who may listen without a key: programs and pages of this machine, everybody, or nobody."""
    keepalive: Duration = Field(default=30 * SECOND, ge=SECOND // 10)
    """How long a connection may be silent before it is told that it still stands."""
