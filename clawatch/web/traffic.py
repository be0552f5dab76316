"""Traffic: requests, counted under the names of their routes, and how long they took."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.socket_metrics import route_of
from clawatch.apis.waits import has_waited
from clawatch.domain.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Traffic:
    def __init__(self, metrics: Metrics) -> None:
        labels = ("method", "route", "status")
        self._requests = metrics.counter("clawatch_http_requests", "Requests that were answered", labels)
        self._seconds = metrics.histogram(
            "clawatch_http_seconds", "From a request's head to its answer; WebSockets and long polls left out"
        )

    def note(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        method = request.method if request.method in METHODS else "other"
        self._requests.add(method, route_of(request), str(response.status))
        if not isinstance(response, web.WebSocketResponse) and not has_waited(request):
            self._seconds.observe(seconds)
