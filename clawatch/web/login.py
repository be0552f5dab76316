"""Logging in: the page behind a one-time link, its cookie, and access tokens for keys."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from msgspec import Struct

from clawatch.access import COOKIE_LIFE, Access
from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import Refused, clawatch_envelope, reply
from clawatch.apis.routes import Api, Handler, Route
from clawatch.domain.access import Principal
from clawatch.domain.time import SECOND
from clawatch.ports import Forbidden

MAX_CODE_BODY = 4_096
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES = Path(__file__).parent / "pages"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_START_PAGES = ("/", "/alerts", "/alerts/{id}", "/agents", "/agents/{id}")
"""The links in messages lead to them."""


class LoginCode(Struct, frozen=True):
    code: str


class LoggedIn(Struct, frozen=True):
    ok: bool = True


class AccessToken(Struct, frozen=True):
    access_token: str
    expires_in: int
    """Seconds."""
    token_type: str = "bearer"  # noqa: S105 - the kind of token, not one


class Login:
    def __init__(self, access: Access) -> None:
        self._access = access

    def api(self, has_start_page: bool) -> Api:
        """``has_start_page``: whether a door serves ``/`` itself."""
        routes = [
            Route("GET", "/login", page("login.html"), None, "The page that a login link opens."),
            Route("GET", "/login.js", page("login.js"), None, "Its script."),
            Route("GET", "/login.css", page("login.css"), None, "Its style."),
            Route("GET", "/login.svg", page("login.svg"), None, "Its icon."),
            Route("POST", "/api/auth/login", self.log_in, None, "Trade a one-time code for a login cookie.",
                  takes=LoginCode, gives=LoggedIn),
            Route("POST", "/api/auth/logout", self.log_out, None, "End the login behind the cookie.", gives=LoggedIn),
            Route("POST", "/api/auth/token", self.token, None, "An access token for the key sent along.",
                  gives=AccessToken),
        ]
        if not has_start_page:
            start = page("index.html")
            routes += [Route("GET", path, start, None, "How things stand.") for path in _START_PAGES]
            routes.append(Route("GET", "/start.js", page("start.js"), None, "The script of the start page."))
        return Api(tuple(routes), clawatch_envelope, ("/login", "/api/auth"))

    async def log_in(self, request: web.Request, principal: Principal) -> web.Response:
        self._refuse_foreign_page(request)
        self._access.count_login(request)
        body = await read_json(request, LoginCode, limit=MAX_CODE_BODY)
        cookie = await self._access.redeem_login(body.code)
        if cookie is None:
            raise Refused(401, "This login link is wrong, used or expired", "unauthenticated")
        response = reply(LoggedIn())
        response.set_cookie(
            self._access.cookie_name, cookie, max_age=COOKIE_LIFE // SECOND, path="/", httponly=True,
            samesite="Strict", secure=self._access.place.is_https,
        )
        return response

    async def log_out(self, request: web.Request, principal: Principal) -> web.Response:
        self._refuse_foreign_page(request)
        await self._access.end_login(request)
        response = reply(LoggedIn())
        response.del_cookie(
            self._access.cookie_name, path="/", httponly=True, samesite="Strict", secure=self._access.place.is_https
        )
        return response

    async def token(self, request: web.Request, principal: Principal) -> web.Response:
        caller = await self._access.identify(request)
        if caller is None:
            raise unauthenticated()
        token, life = self._access.issue_token(caller)
        return reply(AccessToken(token, life), headers={"Cache-Control": "no-store"})

    def _refuse_foreign_page(self, request: web.Request) -> None:
        """Another site must not log its visitors in here, or out."""
        if "Origin" in request.headers and not self._access.place.is_own_origin(request):
            raise Forbidden("this must come from ClaWatch's own page")


def unauthenticated(is_wrong: bool = False) -> Refused:
    """``is_wrong``: a key or token was shown (https://www.rfc-editor.org/rfc/rfc6750#section-3)."""
    challenge = 'Bearer realm="ClaWatch"' + (', error="invalid_token"' if is_wrong else "")
    return Refused(401, "Invalid or missing API key", "unauthenticated", headers={"WWW-Authenticate": challenge})


def page(name: str) -> Handler:
    """Serves one of the files beside this module."""
    path = _PAGES / name
    body = path.read_bytes()
    kind = _TYPES[path.suffix]

    async def serve(request: web.Request, principal: Principal) -> web.Response:
        return web.Response(
            body=body, content_type=kind, charset="utf-8",
            headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"},
        )

    return serve
