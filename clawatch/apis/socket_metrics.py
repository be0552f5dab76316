"""What happens on WebSockets, for ``/metrics``: by route, so by door, and over a reload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aiohttp import web

from clawatch.apis.sessions import Session
from clawatch.domain.metrics import Labels, Metrics, Reading

UNMATCHED = "unmatched"
IN, OUT = "in", "out"


class SocketMetrics:
    """One for each application."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        route = ("route",)
        self._opened = metrics.counter("clawatch_websocket_opened", "WebSockets that were accepted", route)
        self._ended = metrics.counter(
            "clawatch_websocket_ended", "WebSockets that have ended, by why", ("route", "reason")
        )
        self._seconds = metrics.counter("clawatch_websocket_seconds", "How long those that have ended were open", route)
        self._frames = metrics.counter(
            "clawatch_websocket_frames", "Messages that came in and went out", ("route", "direction")
        )
        self._refused = metrics.counter(
            "clawatch_websocket_refused", "Messages, logins and connections that were refused, by why",
            ("route", "reason"),
        )

    def watch(self, sessions: Iterable[object]) -> None:
        """Let the open ones be counted whenever somebody asks, and what they have sent and received so far."""

        def open_now() -> Reading:
            routes = Counter(route_of(one.request) for one in sessions if isinstance(one, Session))
            counts: dict[Labels, float] = {(route,): count for route, count in routes.items()}
            return counts

        def frames_so_far() -> Reading:
            frames: Counter[Labels] = Counter()
            for one in sessions:
                if isinstance(one, Session):
                    route = route_of(one.request)
                    frames[route, IN] += one.received
                    frames[route, OUT] += one.sent
            return frames

        self._metrics.reading("clawatch_websocket_sessions", "WebSockets that are open", open_now, ("route",))
        self._frames.live = frames_so_far

    def opened(self, session: Session) -> None:
        self._opened.add(route_of(session.request))

    def refused(self, session: Session, code: str) -> None:
        self._refused.add(route_of(session.request), code or "invalid")

    def ended(self, session: Session, reason: str) -> None:
        """Call it when the session is watched no more."""
        route = route_of(session.request)
        self._ended.add(route, reason)
        self._seconds.add(route, by=session.age)
        self._frames.add(route, IN, by=session.received)
        self._frames.add(route, OUT, by=session.sent)


def route_of(request: web.BaseRequest) -> str:
    """The route as the router knows it, never the path: there are as many of these as clients like."""
    resource = request.match_info.route.resource if isinstance(request, web.Request) else None
    return UNMATCHED if resource is None else resource.canonical


METRICS: web.AppKey[SocketMetrics] = web.AppKey("socket_metrics", SocketMetrics)
