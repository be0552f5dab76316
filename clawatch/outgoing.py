"""Requests to elsewhere: one client session for all plugins, opened at first use."""

from __future__ import annotations

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from clawatch import __version__


class Outgoing:
    """Implements ``ports.HttpPort``. Keeps no cookies and follows the caller's word on redirects."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                cookie_jar=DummyCookieJar(),
                headers={"User-Agent": f"clawatch/{__version__}"},
                timeout=ClientTimeout(total=30, connect=10),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
