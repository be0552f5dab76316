"""The gate: what every request passes on its way to a door, and every refusal on its way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import perf_counter

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from clawatch.access import Access, presented_secret
from clawatch.apis.bodies import IN_FLIGHT, InFlight
from clawatch.apis.callers import client_of, is_websocket, mark_client
from clawatch.apis.envelopes import Refused, clawatch_envelope, problem_of
from clawatch.apis.limits import Buckets, counted_address, mark_over_rate, rate_headers
from clawatch.apis.routes import ANYONE, Api, Problem, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.metrics import Metrics
from clawatch.ports import ClaWatchError, Clock, Forbidden, TooMany
from clawatch.settings import RateLimit
from clawatch.web.cors import Cors
from clawatch.web.counters import Counters
from clawatch.web.intake import ConnectionLimits
from clawatch.web.login import unauthenticated
from clawatch.web.packing import packed
from clawatch.web.ration import Ration
from clawatch.web.traffic import Traffic

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

INTERNAL = Problem(500, "Internal error; ClaWatch's log says more", "internal")
MISDIRECTED = Problem(
    421, "This Host is not one of ClaWatch's names; set server.public_url to the one you use", "misdirected"
)


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """What callers may do, per key, else per address (None: no limit), and what connections may."""

    rest: RateLimit | None = None
    ingest: RateLimit | None = None
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    bodies_in_flight: int = IN_FLIGHT


class Gate:
    def __init__(
        self, apis: Sequence[tuple[str, Api]], access: Access, settings: WebSettings, clock: Clock,
        log: FilteringBoundLogger, counters: Counters | None = None, metrics: Metrics | None = None,
    ) -> None:
        self._traffic = Traffic(metrics or Metrics())
        self._counters = counters or Counters()
        self._in_flight = self._counters.in_flight = InFlight(settings.bodies_in_flight)
        self._apis = [api for _, api in apis]
        self._access = access
        self._clock = clock
        self._log = log
        cors = Cors(access.settings.cors_origins)
        self._cors = {id(api): cors.joined(api.origins) for api in (*self._apis, _NO_DOOR)}
        self._rest = None if settings.rest is None else Buckets(settings.rest)
        self._ingest = None if settings.ingest is None else Buckets(settings.ingest)
        self._doors: dict[Handle, Api] = {}
        self._ration = Ration()
        self._is_verbose = log.is_enabled_for(logging.DEBUG)

    def door(self, name: str, api: Api, route: Route) -> Handle:
        """The handler for aiohttp: admits the caller, then calls the route's own."""
        place = name, f"{route.method} {route.path}"

        async def handle(request: web.Request) -> web.StreamResponse:
            principal = await self._admit(request, route, api)
            # A brake must answer, whatever others send.
            with nullcontext() if route.is_answered_over_rate else self._in_flight.counting(request):
                response = await self._call(route, request, principal, place)
            self._counters.failing.pop(place, None)
            return response

        self._doors[handle] = api
        return handle

    async def _call(
        self, route: Route, request: web.Request, principal: Principal, place: tuple[str, str]
    ) -> web.StreamResponse:
        """Only here is it the door that fails: its own failures are counted, refusals are none."""
        try:
            return await route.handler(request, principal)
        except (ClaWatchError, web.HTTPException, ConnectionError):
            raise
        except Exception:
            failing = self._counters.failing
            self._counters.failed += 1
            failing[place] = failing.get(place, 0) + 1
            raise

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        """Everything outside the doors: Host, preflights, refusals in the right envelope, the access log."""
        began = perf_counter()
        mark_client(request, self._access.place.client(request))
        outcome = await self._outcome(request, handler)
        response = self._refuse(request, outcome) if isinstance(outcome, Problem) else await packed(request, outcome)
        self._note(response)
        seconds = perf_counter() - began
        self._traffic.note(request, response, seconds)
        if response.status >= 400 or self._is_verbose:
            self._tell(request, response, seconds)
        return response

    def _tell(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        """Never the query: tokens come in it. The path decoded, so that redaction knows a secret in it."""
        now = self._clock.now().mono
        more = {} if self._is_verbose else self._ration.take(str(response.status), now)
        if more is not None:
            say = self._log.debug if response.status < 400 else self._log.info
            say("http.request", method=request.method, path=request.path, status=response.status,
                client=client_of(request), ms=round(seconds * 1000), **more)

    async def add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Called when an answer's head is about to be sent."""
        response.headers["Server"] = "ClaWatch"
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in request.get(_RATE, {}).items():
            response.headers.setdefault(name, value)
        self._cors_of(request).add_headers(request, response)

    async def _outcome(self, request: web.Request, handle: Handle) -> web.StreamResponse | Problem:
        if not self._access.place.is_ours(request):
            self._counters.misdirected += 1
            return MISDIRECTED
        try:
            preflight = self._cors_of(request).preflight(request) if request.method == "OPTIONS" else None
            return preflight or await handle(request)
        except ClaWatchError as error:
            return problem_of(error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return _framework_problem(request, error)
        except Exception as error:
            if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
                raise  # the client has gone; nobody is left to answer
            more = self._ration.take("failed", self._clock.now().mono)
            if more is not None:
                self._log.exception("http.failed", method=request.method, path=request.path, **more)
            if request.writer.output_size > 0:
                raise ConnectionResetError from None  # too late for another answer: cut it
            return INTERNAL

    def _note(self, response: web.StreamResponse) -> None:
        """Count by the answer: doors may put refusals into their own words."""
        if response.status == 413:
            self._counters.too_large += 1
        elif response.status == 429:
            self._counters.over_rate += 1

    def _refuse(self, request: web.Request, problem: Problem) -> web.Response:
        api = self._api_of(request)
        response = api.envelope(problem) if api.refuse is None else api.refuse(request, problem)
        for name, value in problem.headers.items():
            response.headers.setdefault(name, value)
        return response

    def _api_of(self, request: web.Request) -> Api:
        """The door that serves this path, or whose prefix it begins with."""
        api = self._doors.get(request.match_info.handler)
        if api is not None:
            return api
        prefixes = [(prefix, api) for api in self._apis for prefix in api.paths if _is_below(request.path, prefix)]
        return max(prefixes, key=lambda found: len(found[0]), default=("", _NO_DOOR))[1]

    def _cors_of(self, request: web.BaseRequest) -> Cors:
        api = self._api_of(request) if isinstance(request, web.Request) else _NO_DOOR
        return self._cors[id(api)]

    async def _admit(self, request: web.Request, route: Route, api: Api) -> Principal:
        if route.is_socket:
            return self._admit_socket(request, route)
        if route.scope is None:
            return ANYONE
        principal = await self._access.identify(request)
        if principal is None:
            raise unauthenticated(is_wrong=presented_secret(request) is not None)
        if not principal.may(route.scope):
            raise Forbidden(f"This needs a key with the scope {route.scope}")
        self._count(request, route, principal, api)
        return principal

    def _admit_socket(self, request: web.Request, route: Route) -> Principal:
        """The door authenticates after accepting; only what no page of ours could have sent is refused here."""
        if not is_websocket(request):
            raise Refused(
                426, "This is a WebSocket; ask for an upgrade", "upgrade_required",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        if not route.is_for_pages:
            self._access.authenticate(request)
        return ANYONE

    def _count(self, request: web.Request, route: Route, principal: Principal, api: Api) -> None:
        buckets = self._ingest if route.scope is Scope.INGEST else self._rest
        if buckets is None:
            return
        has_key = principal.via in ("key", "token")
        who = f"key {principal.name}" if has_key else f"address {counted_address(client_of(request))}"
        now = self._clock.now()
        wait = buckets.take(who, now.mono)
        if api.tells_rate:
            request[_RATE] = rate_headers(buckets, who, now)
        if wait and not route.is_answered_over_rate:
            raise TooMany("Too many requests", wait)
        if wait:
            mark_over_rate(request)


_RATE: web.RequestKey[dict[str, str]] = web.RequestKey("rate", dict[str, str])
_NO_DOOR = Api((), clawatch_envelope)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


def _framework_problem(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{request.method} is not allowed here, only {allowed}"
        return Problem(405, message, "method_not_allowed", headers={"Allow": allowed})
    if error.status == 404:
        return Problem(404, "Not found", "not_found")
    return Problem(error.status, error.reason or "Refused", error.reason.lower().replace(" ", "_"))
