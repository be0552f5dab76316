"""Latency: how long an agent's calls and answers take, over time."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import SECOND, iso
from clawatch.ports import Core, LatencyPoint
from clawatch_plugins.clawatch.asking import FROM, STEP, TO, steps_of
from clawatch_plugins.clawatch.wire import LatencyAt, LatencySeries


class Latency:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                "GET", "/api/agents/{id}/latency", self.series, Scope.READ, "How long an agent's calls take",
                gives=LatencySeries, params=(FROM, TO, STEP),
            ),
        )

    async def series(self, request: web.Request, principal: Principal) -> web.Response:
        agent = self._core.queries.agent(request.match_info["id"], principal)
        since, until, step = steps_of(request, self._core.clock.now().wall)
        points = await self._core.queries.latencies(principal, since, until + 1, step, agent_id=agent.id)
        return reply(LatencySeries(points=tuple(_point(point) for point in points), step=step // SECOND))


def _point(point: LatencyPoint) -> LatencyAt:
    p50, p95, p99 = (round(point.sketch.quantile(q), 3) for q in (0.5, 0.95, 0.99))
    return LatencyAt(timestamp=iso(point.at), p50=p50, p95=p95, p99=p99, count=point.sketch.count)
