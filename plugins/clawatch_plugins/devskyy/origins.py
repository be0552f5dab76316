"""Who may listen: by the page that asks, by a key, or by being on this machine."""

from __future__ import annotations

import re
from typing import Literal

from aiohttp import web

from clawatch.domain.access import Principal, Scope
from clawatch.ports import Core, Forbidden

ORIGINS = ("http://localhost:3000", "https://devskyy-dashboard.vercel.app", "https://*.vercel.app")
"""Pages that may call this door: the dashboard's own."""
_PAGES = re.compile(r"https://(?:[a-z0-9-]+\.)+vercel\.app")
_PAGES_HERE = re.compile(r"http://localhost(?::\d{1,5})?")
ANONYMOUS = Principal(
    name="anonymous", user="anonymous", scopes=frozenset({Scope.READ}), agents=("*",), via="anonymous"
)


class Listeners:
    """Tells who it is that opens a WebSocket."""

    def __init__(self, core: Core, anonymous: Literal["loopback", "always", "never"]) -> None:
        self._access = core.access
        self._anonymous = anonymous

    async def identify(self, request: web.Request, secret: str | None) -> Principal | None:
        """Raises Forbidden for foreign pages and keys that may not read; None: a key is needed, or another one."""
        origin = request.headers.get("Origin")
        is_ours = origin is None or self._access.is_own_origin(request)
        if not is_ours and not _is_known(origin or ""):
            raise Forbidden("this page may not listen here")
        presented = self._access.secret_of(request)
        if presented is not None:
            return _reader(await self._access.identify(request, presented))
        # A cookie is the word of our own pages only.
        principal = await self._access.identify(request) if is_ours else None
        if principal is not None and principal.may(Scope.READ):
            return principal
        return ANONYMOUS if self._is_anonymous_welcome(request, is_ours) else None

    def _is_anonymous_welcome(self, request: web.Request, is_ours: bool) -> bool:
        if self._anonymous != "loopback":
            return self._anonymous == "always"
        is_page_here = is_ours or _PAGES_HERE.fullmatch(request.headers["Origin"]) is not None
        return is_page_here and self._access.is_from_here(request)


def _is_known(origin: str) -> bool:
    return _PAGES_HERE.fullmatch(origin) is not None or _PAGES.fullmatch(origin) is not None


def _reader(principal: Principal | None) -> Principal | None:
    if principal is not None and not principal.may(Scope.READ):
        raise Forbidden(f"the key {principal.name!r} lacks the scope read")
    return principal
