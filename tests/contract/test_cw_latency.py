"""``GET /api/agents/:id/latency``, and what events say of latencies, revenue and gauges."""

from __future__ import annotations

from typing import Any

import pytest

from clawatch.domain.time import DAY, HOUR, MINUTE, iso


async def test_latency_has_percentiles_per_step(cw: Any) -> None:
    for ms in (100, 200, 300, 400, 2000):
        await cw.say("a", "tool_call", toolName="x", durationMs=ms)
    await cw.say("a", "metrics", avg_response_ms=850)
    await cw.say("b", "tool_call", toolName="x", durationMs=5)
    now = cw.clock.now().wall
    assert await cw.get("/api/agents/a/latency") == {
        "points": [{
            "timestamp": iso(now - now % HOUR), "p50": pytest.approx(300, rel=0.01), "p95": 2000, "p99": 2000,
            "count": 6,
        }],
        "step": 3600,
    }  # fmt: skip


async def test_latency_is_asked_for_by_span_and_step(cw: Any) -> None:
    first = cw.clock.now().wall
    await cw.say("a", "tool_call", durationMs=10)
    cw.clock.advance(5 * MINUTE)
    await cw.say("a", "tool_call", durationMs=20)
    span = {"from": iso(first - HOUR), "to": iso(first + HOUR), "step": "5m"}
    found = await cw.get("/api/agents/a/latency", params=span)
    assert [(point["p50"], point["count"]) for point in found["points"]] == [(10, 1), (20, 1)]
    assert found["step"] == 300
    assert await cw.get("/api/agents/a/latency", params={"from": iso(first + HOUR), "to": iso(first + DAY)}) == {
        "points": [], "step": 3600,
    }  # fmt: skip


@pytest.mark.parametrize("query", ["step=90s", "step=soon", "from=yesterday", "step=1m&from=2020-01-01"])
async def test_a_span_that_makes_no_sense_is_400(cw: Any, query: str) -> None:
    await cw.say("a")
    assert (await cw.ask("GET", f"/api/agents/a/latency?{query}")).status == 400


async def test_latency_of_nobody_or_of_a_foreign_agent_is_404(cw: Any) -> None:
    await cw.say("a")
    theirs = await cw.make_key("read", agents=["b*"])
    assert (await cw.ask("GET", "/api/agents/nobody/latency")).status == 404
    assert (await cw.ask("GET", "/api/agents/a/latency", key=theirs)).status == 404


@pytest.mark.parametrize("data", [{"revenueUsd": "0.9"}, {"revenueUsd": -1}, {"revenueUsd": 1e300}])
async def test_revenue_that_is_no_amount_is_400(cw: Any, data: Any) -> None:
    event = {"agentId": "a", "type": "message", "data": data}
    assert (await cw.ask("POST", "/api/events", json=event)).status == 400


async def test_metrics_beyond_all_bounds_are_kept_and_make_no_series(cw: Any) -> None:
    await cw.say("a", "metrics", vast=10**30, **{"x" * 300: 1.0}, fine=1.0)
    assert (await cw.agent())["status"] == "running"
