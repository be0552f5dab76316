"""Monitoring: the daemon's figures and the fleet's, and the channels as they truly are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clawatch_plugins.devskyy.translation import CHANNELS

PATH = "/api/v1/monitoring/metrics"


async def test_figures_come_in_groups_over_a_range(ds: Any) -> None:
    """DS-49, DS-51"""
    await ds.cw.say("a", "cost", costUsd=2, model="gpt-4o", tokenCount=100)
    body = await ds.get(PATH, params={"metrics": "health,performance", "time_range": "1h"})
    assert {"timestamp", "time_range", "metrics", "summary"} <= set(body)
    assert body["time_range"] == "1h"
    names = [metric["metric_name"] for metric in body["metrics"]]
    assert {"cpu_percent", "memory_percent", "agents", "requests_per_second", "events"} <= set(names)
    assert "cost" not in names
    for metric in body["metrics"]:
        assert set(metric) == {"metric_name", "unit", "data_points", "aggregation"}
        assert all(set(point) == {"timestamp", "value", "labels"} for point in metric["data_points"])
    events = next(metric for metric in body["metrics"] if metric["metric_name"] == "events")
    assert sum(point["value"] for point in events["data_points"]) == 1
    assert set(body["summary"]) == {"overall_health", "total_requests", "error_rate", "active_agents"}
    assert (body["summary"]["overall_health"], body["summary"]["active_agents"]) == ("healthy", 1)


@pytest.mark.parametrize("query", ["", "?metrics=", "?metrics=health,performance,ml,business",
                                   "?metrics=health&metrics=performance,ml&metrics=business"])
async def test_groups_may_be_listed_or_repeated(ds: Any, query: str) -> None:
    """DS-49: all of them by default."""
    names = {metric["metric_name"] for metric in (await ds.get(PATH + query))["metrics"]}
    assert {"cpu_percent", "events", "tokens", "cost"} <= names


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "30d"])
async def test_every_range_is_served_from_rollups(ds: Any, span: str) -> None:
    """DS-50"""
    await ds.cw.say("a", "cost", costUsd=2, model="gpt-4o")
    ds.cw.clock.advance(30 * 60_000)
    body = await ds.get(PATH, params={"metrics": "business", "time_range": span})
    cost = next(metric for metric in body["metrics"] if metric["metric_name"] == "cost")
    assert sum(point["value"] for point in cost["data_points"]) == 2.0


@pytest.mark.parametrize("query", ["time_range=2h", "time_range=1H", "metrics=health,weather", "metrics=Health"])
async def test_unknown_groups_and_ranges_are_refused(ds: Any, query: str) -> None:
    """DS-50"""
    assert (await ds.ask("GET", f"{PATH}?{query}")).status == 422


async def channels(ds: Any) -> Any:
    return (await ds.get(PATH))["websocket"]


async def test_every_channel_tells_its_connections_messages_errors_and_durations(ds: Any) -> None:
    """DS-52"""
    listener = await ds.listen("tasks")
    for _ in range(3):
        await listener.ping()
    await listener.ws.send_str("{")
    await listener.hear(type="error")
    told = await channels(ds)
    assert set(told["channels"]) == set(CHANNELS)
    tasks = told["channels"]["tasks"]
    assert set(tasks) == {
        "active_connections", "total_connections", "messages_sent", "messages_received", "messages_per_second",
        "errors", "error_rate", "avg_connection_seconds",
    }  # fmt: skip
    assert (tasks["messages_received"], tasks["messages_sent"], tasks["errors"]) == (4, 4, 1)
    assert tasks["error_rate"] == pytest.approx(1 / 5)
    assert tasks["avg_connection_seconds"] >= 0


async def test_counts_equal_the_open_sockets_and_fall_when_they_close(ds: Any) -> None:
    """DS-53"""
    open_ = {channel: [await ds.ready(channel) for _ in range(n)] for n, channel in enumerate(CHANNELS)}
    told = await channels(ds)
    assert {name: one["active_connections"] for name, one in told["channels"].items()} == {
        name: len(listeners) for name, listeners in open_.items()
    }
    assert told["active_connections"] == 10
    for listener in open_["metrics"][:3]:
        await listener.ws.close()
    open_["tasks"][0].ws._response.connection.transport.abort()  # one that is cut without a word

    async def has_fallen() -> bool:
        now = await channels(ds)
        counts = [now["channels"][name]["active_connections"] for name in ("metrics", "tasks")]
        return counts == [1, 1] and now["active_connections"] == 6

    await ds.eventually(has_fallen)
    metrics = (await channels(ds))["channels"]["metrics"]
    assert (metrics["total_connections"], metrics["active_connections"]) == (4, 1)


async def test_what_happens_on_sockets_is_counted_for_operators_too(ds: Any) -> None:
    """Refused logins, malformed frames and messages, by route."""
    refused = await ds.listen("agents", query="?token=wrong")
    await refused.closed()
    listener = await ds.listen("agents")
    await listener.ws.send_str("{")
    await listener.hear(type="error")
    await listener.ping()
    text = await ds.get("/metrics")
    route = 'route="/api/ws/{channel}"'
    assert f"clawatch_websocket_opened_total{{{route}}} 2.0" in text
    assert f'clawatch_websocket_refused_total{{reason="unauthenticated",{route}}} 1.0' in text
    assert f'clawatch_websocket_refused_total{{reason="invalid_json",{route}}} 1.0' in text
    assert f'clawatch_websocket_frames_total{{direction="in",{route}}} 2.0' in text
    assert f'clawatch_websocket_frames_total{{direction="out",{route}}} 3.0' in text
    assert f'clawatch_websocket_ended_total{{reason="unauthenticated",{route}}} 1.0' in text


async def test_a_token_in_a_url_reaches_no_log(ds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """X-06"""
    for token in (ds.cw.key, "wrong-" + "w" * 40):
        listener = await ds.listen("agents", query=f"?token={token}")
        await listener.ws.close()
    said = capsys.readouterr()
    assert ds.cw.key not in said.out + said.err
    assert "wrong-www" not in said.out + said.err


async def test_a_storm_of_connections_leaves_nothing_behind(ds: Any) -> None:
    """DS-53: connected, refused, cut and closed in every way, again and again; afterwards all counts are as before."""
    ways = ("agents", "no_such_channel", "agents?token=wrong", "tasks", "metrics?token=")
    before = len(asyncio.all_tasks())

    async def come_and_go(n: int) -> None:
        ws = await ds.cw.session.ws_connect(f"{ds.cw.url}/ws/{ways[n % len(ways)]}")
        if n % 3 == 0:
            await ws.send_str("{" if n % 2 else '{"type":"ping"}')
        if n % 4 == 0:
            ws._response.connection.transport.abort()
        await ws.close()

    for start in range(0, 300, 50):
        await asyncio.gather(*(come_and_go(n) for n in range(start, start + 50)), return_exceptions=True)

    async def is_over() -> bool:
        return bool((await channels(ds))["active_connections"] == 0 and len(asyncio.all_tasks()) <= before + 2)

    await ds.eventually(is_over)
    text = await ds.get("/metrics")
    assert "clawatch_websocket_opened_total" in text
    assert 'clawatch_websocket_sessions{route="/ws/{channel}"}' not in text
    assert sum(one["total_connections"] for one in (await channels(ds))["channels"].values()) == 240
