"""One beat after another, in a task of its own, so that a slow other side holds up nobody."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, ClientTimeout
from yarl import URL

from clawatch.domain.time import SECOND
from clawatch.ports import Core
from clawatch_plugins.heartbeat.settings import HeartbeatSettings

FIRST_AFTER = 5.0
"""Seconds: a daemon that dies again and again just after its start must not sound well."""
OK = "ok"


class Heart:
    def __init__(self, settings: HeartbeatSettings, core: Core, first_after: float = FIRST_AFTER) -> None:
        self._settings = settings
        self._core = core
        self._first_after = first_after
        self._trouble = ""
        self._beats = core.metrics.counter("clawatch_heartbeats", "Outbound heartbeats", ("outcome",))

    async def run(self) -> None:
        every = self._settings.every / SECOND
        await asyncio.sleep(min(every, self._first_after))
        while True:
            started = asyncio.get_running_loop().time()
            await self.beat()
            await asyncio.sleep(max(0.0, started + every - asyncio.get_running_loop().time()))

    async def beat(self) -> None:
        """Ask the URL that fits how we are. Never raises; the next beat is the retry."""
        url = await self._url()
        if not url:
            self._note("withheld", "ClaWatch is degraded")
            return
        try:
            status = await self._ask(url)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            self._note("failed", f"{type(error).__name__} at {_host(url)}")
        else:
            self._note(*(("sent", "") if status < 400 else ("refused", f"HTTP {status} from {_host(url)}")))

    async def _url(self) -> str:
        try:
            report = await self._core.queries.system()
        except Exception:
            return self._settings.fail_url
        return self._settings.url if report.status == OK and report.store.ok else self._settings.fail_url

    async def _ask(self, url: str) -> int:
        timeout = ClientTimeout(total=self._settings.timeout / SECOND)
        async with self._core.http.session.request(
            self._settings.method, url, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status

    def _note(self, outcome: str, trouble: str) -> None:
        """Log when it changes, not with each beat."""
        self._beats.add(outcome)
        if trouble and trouble != self._trouble:
            self._core.log.warning("heartbeat.missed", why=trouble)
        elif self._trouble and not trouble:
            self._core.log.info("heartbeat.again")
        self._trouble = trouble


def _host(url: str) -> str:
    """The path is a secret: whoever knows it can beat for us."""
    try:
        return URL(url).host or "nowhere"
    except ValueError:
        return "nowhere"
