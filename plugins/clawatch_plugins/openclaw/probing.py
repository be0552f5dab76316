"""Probes of a gateway: it lives when its health answers, and works when it also lets us in.

The gateway is an agent of its own here, so that one that dies, hangs or starts again and again is noticed like any
other. What is told of it comes from probes that have succeeded; one that fails says nothing, and silence counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from msgspec import Struct
from yarl import URL

from clawatch.domain.events import Activity, Event, EventType, Facts, Signal
from clawatch.domain.time import SECOND, Millis, iso
from clawatch_plugins.openclaw.identity import GATEWAY_KIND, GATEWAY_SOURCE
from clawatch_plugins.openclaw.reading import decode, whole, word

EVERY = 30.0
ANSWER_WITHIN = 10.0
_MAX_BODY = 64_000
_ROUND: Millis = 10 * SECOND
HALF_ALIVE_AFTER = 3
"""Probes in a row that find the gateway healthy and yet not letting us in."""


class Health(Struct, frozen=True, kw_only=True):
    is_live: bool
    version: str = ""
    uptime: Millis = 0
    """0 where it is not told: only callers on the same machine hear it."""


def http_url(gateway_url: str, path: str) -> URL:
    url = URL(gateway_url)
    return url.with_scheme("https" if url.scheme == "wss" else "http").with_path(path).with_query(None)


async def probe(session: ClientSession, gateway_url: str) -> Health:
    """Ask for its health, without a token. Raises ClientError, OSError or TimeoutError."""
    if not (await _get(session, http_url(gateway_url, "/healthz"))).get("ok"):
        return Health(is_live=False)
    try:
        told = await _get(session, http_url(gateway_url, "/startupz"))
    except (ClientError, OSError, TimeoutError):
        told = {}
    return Health(is_live=True, version=word(told, "version"), uptime=whole(told, "uptimeMs"))


async def _get(session: ClientSession, url: URL) -> dict[str, Any]:
    async with session.get(url, timeout=ClientTimeout(total=ANSWER_WITHIN), allow_redirects=False) as answer:
        body = await answer.content.read(_MAX_BODY)
        return dict(decode(body) or {}) if answer.status == 200 else {}


class Prober:
    """``is_open``: whether the gateway has let us in."""

    def __init__(
        self, name: str, gateway_url: Callable[[], str], session: Callable[[], ClientSession],
        is_open: Callable[[], bool], take: Callable[[list[Event]], Awaitable[None]], now: Callable[[], Millis],
    ) -> None:
        self._name = name
        self._url = gateway_url
        self._session = session
        self._is_open = is_open
        self._take = take
        self._now = now
        self._uptime: Millis = 0
        self._refused = 0
        self._is_known = False

    async def run(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(EVERY)

    async def probe(self) -> None:
        """One probe, and what it tells."""
        try:
            health = await probe(self._session(), self._url())
        except (ClientError, OSError, TimeoutError, ValueError):
            return
        if health.is_live:
            await self._take(self._told(health))

    def _told(self, health: Health) -> list[Event]:
        self._refused = 0 if self._is_open() else self._refused + 1
        events = []
        if not self._is_known or 0 < health.uptime < self._uptime:
            reason = "restarted" if self._is_known else "seen"
            events.append(self._event(
                EventType.STATUS_CHANGE, activity=Activity.RUNNING, session_id=self._life(health.uptime), data={
                    "status": "running", "reason": reason, "version": health.version, "uptimeMs": health.uptime,
                },
            ))
        self._is_known, self._uptime = True, health.uptime
        if self._refused == HALF_ALIVE_AFTER:
            events.append(self._event(
                EventType.ERROR, error="half alive: its health answers, its WebSocket does not let us in"
            ))
        else:
            events.append(self._event(EventType.HEARTBEAT, is_hidden=True))
        return events

    def _life(self, uptime: Millis) -> str | None:
        """The session of a gateway's process; its start tells it from the one before."""
        return f"started {iso((self._now() - uptime) // _ROUND * _ROUND)}" if uptime else None

    def _event(self, type: EventType, **told: Any) -> Event:
        return Event(
            agent_id=self._name, type=type, at=self._now(), signal=Signal.API, source=GATEWAY_SOURCE,
            facts=Facts(name=f"{self._name} gateway", kind=GATEWAY_KIND, group=self._name), **told,
        )
