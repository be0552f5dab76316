"""Costs: sums by agent and model, and over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.money import usd
from clawatch.domain.time import SECOND, iso
from clawatch.ports import Core, CostLine, NotFound, Point
from clawatch_plugins.clawatch.asking import AGENT_ID, FROM, STEP, TO, bounds_of, steps_of, text_of, word_of
from clawatch_plugins.clawatch.wire import AgentCost, CostPoint, CostReport, CostSeries, ModelCost

UNKNOWN_MODEL = "unknown"
"""Clients use the model as a key; it is never empty (seed CW-41)."""
GROUPINGS = ("agent", "model", "total")


@dataclass
class Sum:
    cost: int = 0
    tokens: int = 0
    unpriced: int = 0

    def add(self, line: CostLine) -> None:
        self.cost += line.cost
        self.tokens += line.tokens
        self.unpriced += line.unpriced


class Costs:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        by = Param("by", "query", Literal["agent", "model", "total"], "agent, model or total")
        return (
            Route(
                "GET", "/api/costs", self.report, Scope.READ, "Costs by agent and by model", gives=CostReport,
                params=(AGENT_ID, FROM, TO),
            ),
            Route(
                "GET", "/api/costs/series", self.series, Scope.READ, "Costs over time", gives=CostSeries,
                params=(by, AGENT_ID, FROM, TO, STEP),
            ),
        )

    async def report(self, request: web.Request, principal: Principal) -> web.Response:
        since, until = bounds_of(request)
        costs = await self._core.queries.costs(principal, since, until, text_of(request, "agentId"))
        total = Sum()
        for line in costs.lines:
            total.add(line)
        report = CostReport(
            total_usd=usd(total.cost),
            token_count=total.tokens,
            unpriced_tokens=total.unpriced,
            by_agent=tuple(
                AgentCost(
                    agent_id=agent_id, name=self._name(agent_id, principal), cost_usd=usd(one.cost),
                    token_count=one.tokens, unpriced_tokens=one.unpriced,
                )
                for agent_id, one in _summed(costs.lines, lambda line: line.agent_id)
            ),
            by_model=tuple(
                ModelCost(
                    model=model, cost_usd=usd(one.cost), token_count=one.tokens, unpriced_tokens=one.unpriced
                )
                for model, one in _summed(costs.lines, lambda line: line.model or UNKNOWN_MODEL)
            ),
            resolution=costs.resolution,
        )
        return reply(report)

    def _name(self, agent_id: str, principal: Principal) -> str:
        try:
            return self._core.queries.agent(agent_id, principal).name
        except NotFound:  # removed; its costs remain
            return agent_id

    async def series(self, request: web.Request, principal: Principal) -> web.Response:
        since, until, step = steps_of(request, self._core.clock.now().wall)
        by = word_of(request, "by", GROUPINGS) or "total"
        points = await self._core.queries.series(
            principal, since, until + 1, step, "" if by == "total" else by, text_of(request, "agentId")
        )
        told = tuple(_point(point, by) for point in points)
        return reply(CostSeries(by=by, from_=iso(since), to=iso(until), step_seconds=step // SECOND, points=told))


def _summed(lines: Iterable[CostLine], key: Callable[[CostLine], str]) -> list[tuple[str, Sum]]:
    """Highest cost first; equal ones by name, so that two polls agree. Groups that used nothing are left out."""
    sums: defaultdict[str, Sum] = defaultdict(Sum)
    for line in lines:
        sums[key(line)].add(line)
    used = ((name, one) for name, one in sums.items() if one.cost or one.tokens)
    return sorted(used, key=lambda pair: (-pair[1].cost, -pair[1].tokens, pair[0]))


def _point(point: Point, by: str) -> CostPoint:
    m = point.measures
    return CostPoint(
        timestamp=iso(point.at),
        group=point.group or (UNKNOWN_MODEL if by == "model" else ""),
        cost_usd=usd(m.cost),
        token_count=m.tokens,
        input_tokens=m.input,
        output_tokens=m.output,
        cache_read_tokens=m.cache_read,
        cache_write_tokens=m.cache_write,
        unpriced_tokens=m.unpriced,
        events=m.events,
        errors=m.errors,
        tool_calls=m.tool_calls,
    )
