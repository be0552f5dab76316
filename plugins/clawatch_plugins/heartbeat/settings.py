"""Where to beat, and how often."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from clawatch.domain.time import MINUTE, SECOND, Millis
from clawatch.settings import Duration, Settings

SHORTEST: Millis = SECOND


class HeartbeatSettings(Settings):
    url: str = Field(default="", repr=False)
    """Asked every time. Whoever knows it can beat for us, so it is never shown."""
    every: Duration = MINUTE
    method: Literal["GET", "POST"] = "GET"
    fail_url: str = Field(default="", repr=False)
    """Asked instead while ClaWatch is degraded; where it is empty, nothing is sent then and the other side alarms."""
    timeout: Duration = 10 * SECOND

    @field_validator("url", "fail_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        url = url.strip()
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("is not a URL; write it like https://hc-ping.com/your-check")
        return url

    @field_validator("every", "timeout")
    @classmethod
    def _is_long_enough(cls, duration: Millis) -> Millis:
        if duration < SHORTEST:
            raise ValueError("is too short; write 1s or more")
        return duration

    @property
    def is_configured(self) -> bool:
        return bool(self.url)
