"""``/api/v1/monitoring/metrics``: the daemon's figures and the fleet's, over a range of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Param, Route
from clawatch.apis.socket_limits import Totals
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent, Status
from clawatch.domain.journal import Measures
from clawatch.domain.money import usd
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis, iso
from clawatch.ports import Core, Point
from clawatch_plugins.devskyy.asking import choice_of, list_of
from clawatch_plugins.devskyy.channels import Channels
from clawatch_plugins.devskyy.meter import Meter
from clawatch_plugins.devskyy.wire import (
    ChannelView,
    DataPoint,
    MetricView,
    Monitoring,
    Summary,
    WebSocketView,
)

PATH = "/api/v1/monitoring/metrics"
GROUPS = ("health", "performance", "ml", "business")
RANGES: dict[str, tuple[Millis, Millis]] = {
    "1h": (HOUR, MINUTE),
    "24h": (DAY, 15 * MINUTE),
    "7d": (7 * DAY, 2 * HOUR),
    "30d": (30 * DAY, 6 * HOUR),
}
"""How far back, and the step between two points."""
_ACTIVE = frozenset({Status.RUNNING, Status.IDLE, Status.ERROR})


class MonitoringRoutes:
    def __init__(self, core: Core, channels: Channels, meter: Meter) -> None:
        self._core = core
        self._channels = channels
        self._meter = meter

    def routes(self) -> tuple[Route, ...]:
        params = (
            Param("metrics", "query", str, f"with commas, or repeated: {', '.join(GROUPS)}; all by default"),
            Param("time_range", "query", str, f"{', '.join(RANGES)}; 1h by default"),
        )
        return (
            Route("GET", PATH, self.show, Scope.READ, "Figures over a range of time, and of the WebSockets now",
                  gives=Monitoring, params=params),
        )  # fmt: skip

    async def show(self, request: web.Request, principal: Principal) -> web.Response:
        groups = list_of(request, "metrics", GROUPS)
        name = choice_of(request, "time_range", RANGES) or "1h"
        now = self._core.clock.now().wall
        span, step = RANGES[name]
        until = now - now % step + step
        points = await self._core.queries.series(principal, until - span, until, step, "", None)
        agents = self._core.queries.agents(principal)
        metrics: list[MetricView] = []
        for group in groups:
            metrics += self._views(group, points, agents, now)
        return reply(Monitoring(
            timestamp=iso(now),
            time_range=name,
            metrics=tuple(metrics),
            summary=await self._summary(agents),
            websocket=self._websocket(),
        ))

    def _views(self, group: str, points: Sequence[Point], agents: Sequence[Agent], now: Millis) -> list[MetricView]:
        match group:
            case "health":
                return self._health(agents, now)
            case "performance":
                return self._performance(points, now)
            case "ml":
                return self._ml(points, agents, now)
        return self._business(points, agents, now)

    def _health(self, agents: Sequence[Agent], now: Millis) -> list[MetricView]:
        host = self._meter.host.read(self._core.clock.now().mono)
        counts = Counter(agent.status for agent in agents)
        return [
            _now("cpu_percent", "percent", host.cpu_percent, now),
            _now("memory_percent", "percent", host.memory_percent, now),
            _now("process_memory", "bytes", host.process_bytes, now),
            _now("load_1m", "processes", host.load, now),
            MetricView(metric_name="agents", unit="agents", aggregation="last", data_points=tuple(
                DataPoint(timestamp=iso(now), value=counts[status], labels={"status": status.value})
                for status in Status
            )),
        ]  # fmt: skip

    def _performance(self, points: Sequence[Point], now: Millis) -> list[MetricView]:
        return [
            _now("requests_per_second", "requests/s", self._meter.requests_per_second, now),
            _now("avg_latency", "ms", self._meter.latency_ms, now),
            _series("events", "events", points, lambda sums: sums.events),
            _series("tool_calls", "calls", points, lambda sums: sums.tool_calls),
            _series("errors", "errors", points, lambda sums: sums.errors),
        ]

    def _ml(self, points: Sequence[Point], agents: Sequence[Agent], now: Millis) -> list[MetricView]:
        cycles = sum(self._core.work.record(agent.id).learning_cycles for agent in agents)
        return [
            _series("tokens", "tokens", points, lambda sums: sums.tokens),
            _series("input_tokens", "tokens", points, lambda sums: sums.input),
            _series("output_tokens", "tokens", points, lambda sums: sums.output),
            _now("learning_cycles", "cycles", cycles, now),
        ]

    def _business(self, points: Sequence[Point], agents: Sequence[Agent], now: Millis) -> list[MetricView]:
        records = [self._core.work.record(agent.id) for agent in agents]
        return [
            _series("cost", "USD", points, lambda sums: usd(sums.cost)),
            _now("tasks_completed", "tasks", sum(record.completed for record in records), now),
            _now("tasks_failed", "tasks", sum(record.failed for record in records), now),
        ]

    async def _summary(self, agents: Iterable[Agent]) -> Summary:
        requests = self._core.metrics.counts("clawatch_http_requests")
        total = sum(requests.values())
        failed = sum(count for labels, count in requests.items() if labels[-1].startswith("5"))
        report = await self._core.queries.system()
        return Summary(
            overall_health="healthy" if report.status == "ok" else report.status,
            total_requests=int(total),
            error_rate=round(failed / total, 6) if total else 0.0,
            active_agents=sum(agent.status in _ACTIVE for agent in agents),
        )

    def _websocket(self) -> WebSocketView:
        totals = self._channels.totals()
        return WebSocketView(
            active_connections=sum(one.open for one in totals.values()),
            channels={
                channel: _channel(one, self._meter.messages_per_second.get(channel, 0.0))
                for channel, one in totals.items()
            },
        )


def _channel(totals: Totals, rate: float) -> ChannelView:
    heard = totals.received + totals.opened
    return ChannelView(
        active_connections=totals.open,
        total_connections=totals.opened,
        messages_sent=totals.sent,
        messages_received=totals.received,
        messages_per_second=round(rate, 3),
        errors=totals.refused,
        error_rate=round(totals.refused / heard, 6) if heard else 0.0,
        avg_connection_seconds=None if totals.mean_seconds is None else round(totals.mean_seconds, 3),
    )


def _now(name: str, unit: str, value: float, now: Millis) -> MetricView:
    point = DataPoint(timestamp=iso(now), value=value, labels={})
    return MetricView(metric_name=name, unit=unit, data_points=(point,), aggregation="last")


def _series(name: str, unit: str, points: Sequence[Point], read: Callable[[Measures], float]) -> MetricView:
    told = tuple(DataPoint(timestamp=iso(point.at), value=read(point.measures), labels={}) for point in points)
    return MetricView(metric_name=name, unit=unit, data_points=told, aggregation="sum")
