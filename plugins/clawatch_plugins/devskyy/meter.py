"""The meter: figures of the daemon and its host, and every five seconds a frame with them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from clawatch.apis.fanout import News
from clawatch.apis.host import Host
from clawatch.domain.time import iso
from clawatch.ports import Core
from clawatch_plugins.devskyy.channels import Channels
from clawatch_plugins.devskyy.translation import METRICS
from clawatch_plugins.devskyy.wire import MetricsUpdate, SystemMetrics

EVERY = 5.0
"""Seconds, by the contract."""


class Sample(NamedTuple):
    """What has been counted up to an instant (of the loop's clock)."""

    at: float
    requests: float
    answered: int
    """Requests whose time was taken."""
    seconds: float
    messages: dict[str, int]
    """In and out, by channel."""


class Meter:
    def __init__(self, core: Core, channels: Channels) -> None:
        self._core = core
        self._channels = channels
        self._host = Host()
        self._last = self._sample()
        self.requests_per_second = 0.0
        self.latency_ms = 0.0
        """Of the last seconds in which there were requests."""
        self.messages_per_second: dict[str, float] = {}

    @property
    def host(self) -> Host:
        return self._host

    async def run(self) -> None:
        """Measure, and tell whoever listens; forever."""
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY
        while True:
            await asyncio.sleep(due - loop.time())
            due = max(due + EVERY, loop.time())
            self._measure()
            self._channels.tell(News(METRICS, "", self.update()))

    def update(self) -> MetricsUpdate:
        now = self._core.clock.now()
        figures, said = self._host.read(now.mono), iso(now.wall)
        return MetricsUpdate(timestamp=said, metrics=SystemMetrics(
            timestamp=said,
            cpu_percent=figures.cpu_percent,
            memory_percent=figures.memory_percent,
            active_connections=sum(totals.open for totals in self._channels.totals().values()),
            requests_per_second=round(self.requests_per_second, 3),
            avg_latency_ms=round(self.latency_ms, 3),
        ))

    def _measure(self) -> None:
        before, now = self._last, self._sample()
        self._last = now
        span = max(now.at - before.at, 0.001)
        self.requests_per_second = (now.requests - before.requests) / span
        answered = now.answered - before.answered
        if answered > 0:
            self.latency_ms = (now.seconds - before.seconds) / answered * 1000
        self.messages_per_second = {
            channel: (count - before.messages.get(channel, 0)) / span for channel, count in now.messages.items()
        }

    def _sample(self) -> Sample:
        answered, seconds = self._core.metrics.observed("clawatch_http_seconds")
        return Sample(
            at=asyncio.get_running_loop().time(),
            requests=self._core.metrics.total("clawatch_http_requests"),
            answered=answered,
            seconds=seconds,
            messages={channel: t.received + t.sent for channel, t in self._channels.totals().items()},
        )
