"""``GET /telemetry/metrics/{agent_id}``: what an agent's telemetry was, from rollups."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Raw

from clawatch.apis.envelopes import Refused, problem_of, reply
from clawatch.apis.limits import Buckets
from clawatch.apis.routes import Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis
from clawatch.ports import ClaWatchError, Core, Forbidden
from clawatch.settings import RateLimit
from clawatch_plugins.clawdnet.series import GAUGES, METRICS, ROLLING, Found, Grid, report_of
from clawatch_plugins.clawdnet.wire import Report
from clawatch_plugins.clawdnet.words import listed

PERIODS: dict[str, Millis] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
RESOLUTIONS: dict[str, Millis] = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}
AUTO = {"1h": "1m", "24h": "1h", "7d": "1h", "30d": "1d"}
"""What ``auto`` stands for, by period."""
_NAMES = "|".join(METRICS)


class History:
    def __init__(self, core: Core, rate: RateLimit | None) -> None:
        self._core = core
        self._buckets = None if rate is None else Buckets(rate)

    def routes(self, path: str) -> tuple[Route, ...]:
        names = Annotated[str, Meta(pattern=f"^({_NAMES})(,({_NAMES}))*$")]
        params = (
            Param("period", "query", Literal["1h", "24h", "7d", "30d"], "24h when absent"),
            Param("resolution", "query", Literal["1m", "5m", "1h", "1d", "auto"], "auto when absent"),
            Param("metrics", "query", names, "with commas; all of them when absent"),
        )
        return (
            Route(
                "GET", f"{path}/{{agent_id}}", self.metrics, Scope.READ, "An agent's telemetry over time",
                gives=Report, params=params,
            ),
        )

    async def metrics(self, request: web.Request, principal: Principal) -> web.Response:
        headers = self._count(principal)
        try:
            body = await self._report(request, principal)
        except ClaWatchError as error:
            problem = problem_of(error)
            raise Refused(
                problem.status, problem.message, problem.code, problem.details, {**problem.headers, **headers}
            ) from None
        return reply(Raw(body), headers=headers)

    async def _report(self, request: web.Request, principal: Principal) -> bytes:
        agent_id = request.match_info["agent_id"]
        if not principal.sees(agent_id):
            raise Forbidden("this key may not read this agent")
        self._core.queries.agent(agent_id, principal)
        period = _word(request, "period", PERIODS, "24h")
        resolution = _word(request, "resolution", (*RESOLUTIONS, "auto"), "auto")
        resolution = AUTO[period] if resolution == "auto" else resolution
        wanted = _words(request, "metrics", METRICS)
        grid = Grid.ending(self._core.clock.now().wall, PERIODS[period], RESOLUTIONS[resolution])
        found = await self._find(principal, agent_id, grid)

        def report() -> bytes:
            data, summary = report_of(found, grid, wanted)
            return msgspec.json.encode(Report(agent_id, period, resolution, data, summary))

        # A month by the minute is 43,200 points of each metric: too long for the loop that everybody shares.
        return await asyncio.to_thread(report)

    async def _find(self, principal: Principal, agent_id: str, grid: Grid) -> Found:
        queries, span = self._core.queries, (grid.first, grid.end)
        series, latencies, gauges, hourly = await asyncio.gather(
            queries.series(principal, *span, grid.step, "", agent_id),
            queries.latencies(principal, *span, grid.step, "", agent_id),
            queries.gauges(principal, *span, grid.step, agent_id, GAUGES),
            queries.gauges(principal, *span, min(grid.step, HOUR), agent_id, ROLLING),
        )
        return Found(series, latencies, gauges, hourly)

    def _count(self, principal: Principal) -> dict[str, str]:
        """Count a request; what its sender is told of the limit. Raises Refused beyond it."""
        if self._buckets is None:
            return {}
        now, rate = self._core.clock.now(), self._buckets.rate
        wait = self._buckets.take(principal.name, now.mono)
        left = self._buckets.left(principal.name, now.mono)
        full_in = (rate.times - left) * rate.period / rate.times
        headers = {
            "X-RateLimit-Limit": str(rate.times),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(math.ceil((now.wall + full_in) / SECOND)),
        }
        if wait:
            details = {"limit": rate.times, "retry_after": wait}
            headers["Retry-After"] = str(math.ceil(wait))
            raise Refused(429, "Too many requests", "rate_limited", details, headers)
        return headers


def _word(request: web.Request, name: str, known: tuple[str, ...] | dict[str, Millis], default: str) -> str:
    return _known(name, request.query.get(name) or default, tuple(known))


def _words(request: web.Request, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """A list with commas, each once; all when it is empty."""
    asked = [word.strip() for word in request.query.get(name, "").split(",") if word.strip()]
    return tuple(dict.fromkeys(_known(name, word, known) for word in asked)) or known


def _known(name: str, word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        details = {"parameter": name, "allowed": known}
        raise Refused(422, f"{name}: {word[:60]!r} is not known; use {listed(known)}", "validation_error", details)
    return word
