"""Metrics at each connection's own pace, alerts, and the daemon's watch over itself."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil
import pytest
from clawatch_plugins.freeagentics import door

from clawatch.domain.time import MINUTE, SECOND
from clawatch.ports import StoreHealth
from clawatch.testing.memory import MemoryStore


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_EVERY", 0.02)


@pytest.fixture
async def watching(quick_looks: None, run_cw: Any, door_of: Any) -> Any:
    """A door that looks often, over a daemon whose notifier reaches nobody."""
    async with run_cw(notifiers={"hook": {"use": "webhook", "url": "http://127.0.0.1:9/"}}) as cw:
        yield door_of(cw)


async def test_fa_34_metrics_tell_of_the_host_and_of_every_agent(fa: Any) -> None:
    """FA-34; and X-01: agents of the ClaWatch API are among them."""
    await fa.cw.say("agent_123")
    await fa.cw.say("agent_456", "status_change", status="idle")
    client = await fa.connect()
    await client.subscribe("metrics_update")
    data = await client.hear("metrics_update")
    assert set(data) > {"system", "agents"}
    assert set(data["system"]) == {"cpu_usage", "memory_usage", "active_agents", "queue_length"}
    assert 0 <= data["system"]["cpu_usage"] <= 100
    assert abs(data["system"]["memory_usage"] - psutil.virtual_memory().percent) < 20
    assert data["system"]["active_agents"] == 1
    assert data["agents"] == {
        "agent_123": {"status": "active", "inference_rate": 0.0, "avg_response_time": 0.0, "success_rate": 1.0,
                      "current_load": 0.0},
        "agent_456": {"status": "idle", "inference_rate": 0.0, "avg_response_time": 0.0, "success_rate": 1.0,
                      "current_load": 0.0},
    }


async def test_fa_34_the_figures_of_an_agent_are_those_of_its_last_minute(fa: Any) -> None:
    """FA-34: calls of models, tools and runs; also what was before the first client came."""
    say = fa.cw.say
    await say("a", "cost", costUsd=0.1, model="m", durationMs=2_000)
    await say("a", "tool_call", toolName="t", ok=False, durationMs=10_000)
    client = await fa.connect()
    await client.say("configure", metrics_interval=100)
    await client.subscribe("metrics")
    await say("a", "cost", costUsd=0.1, model="m", durationMs=4_000)
    await fa.report("a", "r", kind="inference", status="running")
    fa.cw.clock.advance(6 * SECOND)
    await fa.report("a", "r", status="completed")
    wanted = {"status": "active", "inference_rate": 3.0, "avg_response_time": 4.0, "success_rate": 0.75,
              "current_load": 0.37}
    while (await client.hear("metrics_update"))["agents"]["a"] != wanted:
        pass
    fa.cw.clock.advance(2 * MINUTE)
    while (await client.hear("metrics_update"))["agents"]["a"]["inference_rate"] != 0.0:
        pass


async def test_fa_34_work_under_way_is_load(fa: Any) -> None:
    """FA-34."""
    client = await fa.connect()
    await client.say("configure", metrics_interval=100)
    await client.subscribe("metrics")
    await fa.report("a", "r", kind="inference", status="running")
    fa.cw.clock.advance(39 * SECOND)
    while (await client.hear("metrics_update"))["agents"].get("a", {}).get("current_load") != 0.65:
        pass


async def test_fa_34_only_the_agents_one_asked_for_are_told(fa: Any) -> None:
    """FA-34, FA-07."""
    for agent_id in ("a", "b", "c"):
        await fa.cw.say(agent_id)
    client = await fa.connect()
    await client.subscribe("metrics", agents=["a", "c", "unknown"])
    assert set((await client.hear("metrics_update"))["agents"]) == {"a", "c"}
    await client.subscribe("metrics")
    await client.say("unsubscribe", events=["metrics"], agents=["a"])
    await client.say("configure", metrics_interval=100)
    await client.hear("configuration_updated")
    assert set((await client.hear("metrics_update"))["agents"]) == {"b", "c"}


async def test_fa_24_each_connection_has_metrics_at_its_own_interval(fa: Any) -> None:
    """FA-24: every five seconds unless it says otherwise."""
    quick, slow = await fa.connect(), await fa.connect()
    for client, interval in ((quick, 100), (slow, 1_000)):
        await client.say("configure", metrics_interval=interval)
        assert (await client.hear("configuration_updated"))["metrics_interval"] == interval
        await client.subscribe("metrics_update")
    for _ in range(2):
        await slow.hear("metrics_update")
    await quick.until_pong()
    assert 6 <= quick.types().count("metrics_update") <= 13
    default = await fa.connect()
    await default.say("configure", buffer_size=100, compression=True)
    assert await default.hear("configuration_updated") == {
        "metrics_interval": 5_000, "buffer_size": 100, "compression": False,
    }


async def test_fa_24_a_new_interval_holds_at_once(fa: Any) -> None:
    """FA-24."""
    client = await fa.connect()
    await client.subscribe("metrics")
    await client.hear("metrics_update")
    await client.say("configure", metrics_interval=100)
    for _ in range(3):
        async with asyncio.timeout(2):
            await client.hear("metrics_update")


@pytest.mark.parametrize("data", [
    {"metrics_interval": "5000"}, {"metrics_interval": 0}, {"metrics_interval": -1}, {"metrics_interval": 1.5},
    {"metrics_interval": True}, {"metrics_interval": 10**9}, {"buffer_size": 0}, {"buffer_size": "many"},
    {"compression": "yes"}, {"colour": "red"},
])
async def test_fa_24_values_that_make_no_sense_are_refused_and_change_nothing(fa: Any, data: Any) -> None:
    """FA-24."""
    client = await fa.connect()
    await client.say("configure", **{"metrics_interval": 700, **data} if "metrics_interval" not in data else data)
    error = await client.hear("error")
    assert error["error_code"] == "INVALID_MESSAGE_FORMAT"
    assert next(iter(data)) in error["error_message"]
    await client.say("configure", compression=False)
    assert (await client.hear("configuration_updated"))["metrics_interval"] == 5_000


async def test_fa_35_an_alert_of_ours_is_a_performance_alert(fa: Any) -> None:
    """FA-35: told when it fires and when it is over."""
    client = await fa.connect()
    await client.subscribe("performance_alert")
    alert = await fa.cw.alert("agent_123")
    data = await client.hear("performance_alert")
    assert set(data) >= {
        "alert_id", "severity", "type", "message", "affected_components", "current_value", "threshold",
        "recommended_action",
    }
    assert (data["alert_id"], data["severity"], data["type"]) == (alert["id"], "error", "error")
    assert (data["message"], data["affected_components"]) == (alert["message"], ["agent_123"])
    assert (data["current_value"], data["status"], data["rule"]) == (4.0, "firing", "error_spike")
    assert data["recommended_action"]
    fa.cw.clock.advance(3 * MINUTE)
    await fa.cw.settle()
    data = await client.hear("performance_alert")
    assert (data["alert_id"], data["status"]) == (alert["id"], "resolved")
    assert data["message"].startswith("Resolved: ")


async def test_fa_35_a_budget_and_a_silence_tell_their_value_and_threshold(run_cw: Any, door_of: Any) -> None:
    """FA-35."""
    async with run_cw() as cw:
        client = await door_of(cw).connect()
        await client.subscribe("performance_alert")
        await cw.say("a", "cost", costUsd=12.5, model="m")
        await cw.settle()
        data = await client.hear("performance_alert")
        assert (data["type"], data["current_value"], data["threshold"]) == ("cost_spike", 12.5, 10.0)
        cw.clock.advance(2 * MINUTE)
        await cw.settle()
        cw.clock.advance(4 * MINUTE)
        await cw.settle()
        while (data := await client.hear("performance_alert"))["type"] != "stuck":
            pass
        assert (data["current_value"], data["threshold"]) == (360.0, 300.0)


async def test_fa_35_alerts_about_the_whole_fleet_are_for_those_who_see_all_of_it(run_cw: Any, door_of: Any) -> None:
    """FA-35."""
    limits = [{"per": "total", "usd": 1, "scope": "fleet"}]
    async with run_cw(rules={"cost": {"limits": limits}}) as cw:
        fa = door_of(cw)
        every, few = await fa.connect(), await fa.connect(key=await cw.make_key("read", agents=["a"]))
        for client in (every, few):
            await client.subscribe("performance_alert")
        await cw.say("a", "cost", costUsd=2, model="m")
        await cw.settle()
        data = await every.hear("performance_alert")
        assert (data["agent_id"], data["affected_components"]) == (None, ["fleet"])
        assert await few.until_pong() == []


async def test_fa_35_a_host_without_memory_left_is_told_with_value_and_threshold(
    quick_looks: None, monkeypatch: pytest.MonkeyPatch, run_cw: Any, door_of: Any
) -> None:
    """FA-35: at 80 % unless the settings say otherwise."""
    memory = {"percent": 50.0}
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), memory))
    async with run_cw() as cw:
        client = await door_of(cw).connect()
        await client.subscribe("performance_alert", filters={"severity": ["warning"], "components": ["host"]})
        memory["percent"] = 85.2
        cw.clock.advance(SECOND)
        data = await client.hear("performance_alert")
        assert (data["type"], data["message"]) == ("high_memory_usage", "Memory usage above 80%")
        assert (data["current_value"], data["threshold"], data["status"]) == (85.2, 80.0, "firing")
        memory["percent"] = 60.0
        cw.clock.advance(SECOND)
        over = await client.hear("performance_alert")
        assert (over["alert_id"], over["status"]) == (data["alert_id"], "resolved")


async def test_fa_36_37_a_notifier_that_reaches_nobody_is_told_once_and_to_all(watching: Any) -> None:
    """FA-36, FA-37, FA-10: `system_alerts` is system_alert."""
    one, other = await watching.connect(), await watching.connect()
    await one.subscribe("system_alerts", "system_status")
    await other.subscribe("system_alert", filters={"components": ["database"]})
    await watching.cw.alert("a")
    data = await one.hear("system_alert")
    assert set(data) == {
        "alert_id", "severity", "type", "message", "affected_components", "status", "estimated_resolution",
    }
    assert (data["severity"], data["type"], data["status"]) == ("warning", "notifier_retrying", "investigating")
    assert data["affected_components"] == ["notifiers", "hook"]
    status = await one.hear("system_status")
    assert (status["old_status"], status["new_status"]) == ("healthy", "degraded")
    assert status["reason"] == "notifier_retrying"
    assert (status["components"]["notifiers"], status["components"]["database"]) == ("degraded", "healthy")
    await asyncio.sleep(0.1)
    assert await one.until_pong() == []
    assert await other.until_pong() == []
    late = await watching.connect()
    await late.subscribe("system_alert", "system_status")
    assert await late.until_pong() == []


async def test_fa_36_37_a_database_that_takes_nothing_is_told_and_that_it_is_well_again(
    watching: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FA-36, FA-37: the connections here go on meanwhile."""
    client = await watching.connect(key=await watching.cw.make_key("read", agents=["mine"]))
    await client.subscribe("system_alert", "system_status", filters={"severity": ["error"]})

    async def health(store: Any) -> StoreHealth:
        return StoreHealth(ok=False, detail="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "health", health)
        alert, status = await client.hear("system_alert"), await client.hear("system_status")
        assert (alert["severity"], alert["type"]) == ("error", "service_unavailable")
        assert (alert["message"], alert["affected_components"]) == (
            "The database cannot be used: the disk is full", ["database"],
        )
        assert (status["old_status"], status["new_status"]) == ("healthy", "unhealthy")
        assert status["components"]["database"] == "unhealthy"
    over, status = await client.hear("system_alert"), await client.hear("system_status")
    assert (over["alert_id"], over["status"]) == (alert["alert_id"], "resolved")
    assert (status["old_status"], status["new_status"], status["reason"]) == ("unhealthy", "healthy", "recovered")


async def test_fa_40_who_silences_everything_has_taken_the_fleet_into_maintenance(watching: Any) -> None:
    """FA-40: `maintenance_mode`."""
    client = await watching.connect()
    await client.subscribe("maintenance_mode")
    wanted = {"duration": "1h", "agent": "*", "reason": "moving house"}
    silence = await watching.cw.post("/api/silences", wanted)
    await watching.cw.post("/api/silences", {"duration": "1h", "agent": "a"})
    assert await client.hear("maintenance_mode") == {
        "enabled": True, "message": "moving house", "started_by": "ops", "ends_at": "2026-03-09T15:00:00.000Z",
    }
    await watching.cw.ask("DELETE", f"/api/silences/{silence['id']}")
    assert (await client.hear("maintenance_mode"))["enabled"] is False
    assert await client.until_pong() == []
