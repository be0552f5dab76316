"""Traffic: requests and WebSockets, counted under the names of their routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aiohttp import web

from clawatch.apis.sessions import Session
from clawatch.domain.metrics import Labels, Metrics, Reading

UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Traffic:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        labels = ("method", "route", "status")
        self._requests = metrics.counter("clawatch_http_requests", "Requests that were answered", labels)

    def note(self, request: web.Request, response: web.StreamResponse) -> None:
        method = request.method if request.method in METHODS else "other"
        self._requests.add(method, route_of(request), str(response.status))

    def watch_sessions(self, sessions: Iterable[object]) -> None:
        """Let the open WebSockets be counted whenever somebody asks."""

        def read() -> Reading:
            routes = Counter(route_of(one.request) for one in sessions if isinstance(one, Session))
            counts: dict[Labels, float] = {(route,): count for route, count in routes.items()}
            return counts

        self._metrics.reading("clawatch_websocket_sessions", "WebSockets that are open", read, ("route",))


def route_of(request: web.BaseRequest) -> str:
    """The route as the router knows it, never the path: there are as many of these as clients like."""
    resource = request.match_info.route.resource if isinstance(request, web.Request) else None
    return UNMATCHED if resource is None else resource.canonical
