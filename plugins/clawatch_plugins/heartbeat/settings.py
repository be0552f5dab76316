"""Where to beat, and how often."""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import Field, field_validator
from yarl import URL

from clawatch.domain.remarks import Remark, fine, wrong
from clawatch.domain.time import MINUTE, SECOND, Millis, say_duration
from clawatch.settings import Duration, Settings, Surroundings

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
    def missing(self) -> tuple[str, ...]:
        """The keys without which it cannot run."""
        return () if self.url else ("url",)

    @property
    def is_configured(self) -> bool:
        return not self.missing

    async def examine(self, surroundings: Surroundings) -> list[Remark]:
        """A request would count as a beat, so a real call goes no further than the connection."""
        said = f"beats every {say_duration(self.every)}"
        if surroundings.session is None:
            return [fine(said)]
        url = URL(self.url)
        try:
            async with asyncio.timeout(self.timeout / SECOND):
                _, writer = await asyncio.open_connection(url.host, url.port)
            writer.close()
        except (OSError, TimeoutError) as error:
            return [wrong(f"{url.host} cannot be reached ({type(error).__name__})", "check the URL and the firewall")]
        return [fine(f"{said}; {url.host} can be reached")]
