"""Cross-origin requests (the CORS protocol of the Fetch standard), for pages that send a key of their own.

``Access-Control-Allow-Credentials`` is never sent: a login cookie is for our own pages alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web

from clawatch.apis.routes import Problem
from clawatch.ports import Invalid

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS = "X-ClaWatch-Key, Authorization, Content-Type, ngrok-skip-browser-warning, X-Request-ID"
EXPOSED = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
MAX_AGE = "600"

_ORIGIN = re.compile(r"(https?://)(\*\.)?([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
_SUBDOMAIN = r"(?:[a-z0-9-]+\.)+"


class Cors:
    """``origins``: exact ones, or ``https://*.example.com`` for every subdomain (not example.com itself)."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = tuple(origins)
        self._patterns = [_pattern(origin) for origin in origins]

    def allows(self, origin: str) -> bool:
        return any(pattern.fullmatch(origin) for pattern in self._patterns)

    def joined(self, origins: Sequence[str]) -> Cors:
        """These, and more."""
        return Cors((*self._origins, *origins)) if origins else self

    def add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        if not self._patterns:
            return
        response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "Origin"]))
        origin = request.headers.get("Origin")
        if origin is not None and self.allows(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED

    def preflight(self, request: web.BaseRequest) -> web.Response | Problem | None:
        """The answer to a preflight; None when the request is none."""
        origin = request.headers.get("Origin")
        if request.method != "OPTIONS" or origin is None or "Access-Control-Request-Method" not in request.headers:
            return None
        if not self.allows(origin):
            return Problem(403, "this origin may not call here; server.cors_origins says which may", "forbidden")
        return web.Response(status=204, headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": MAX_AGE,
        })


def _pattern(origin: str) -> re.Pattern[str]:
    match = _ORIGIN.fullmatch(origin.rstrip("/").lower())
    if match is None:
        raise Invalid(f"server.cors_origins: {origin!r} is not an origin like https://app.example.com or "
                      "https://*.example.com")
    scheme, star, host, port = match.groups(default="")
    return re.compile(re.escape(scheme) + (_SUBDOMAIN if star else "") + re.escape(host) + re.escape(port))
