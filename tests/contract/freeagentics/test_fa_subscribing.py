"""What clients subscribe to, and that they get this and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.freeagentics.words import TYPES

REFERENCE = [
    "agent_status", "agent_created", "agent_deleted", "agent_updated",
    "inference_started", "inference_progress", "inference_completed", "inference_failed",
    "metrics_update", "performance_alert", "system_alert", "system_status", "maintenance_mode",
    "entity_created", "entity_updated", "entity_deleted",
    "relationship_created", "relationship_updated", "relationship_deleted",
    "connection_established", "subscription_confirmed", "subscription_error", "command_error",
    "rate_limit_warning", "disconnect_warning",
]


def about(messages: list[Any], type: str = "agent_status") -> list[str]:
    return [message["data"]["agent_id"] for message in messages if message["type"] == type]


async def test_fa_07_08_a_subscription_is_confirmed_as_it_was_asked_for(fa: Any) -> None:
    """FA-07, FA-08."""
    client = await fa.connect()
    events, agents = ["agent_status", "metrics", "inference_completed", "system_alerts"], ["agent_123", "agent_456"]
    filters = {"severity": ["warning", "error"], "components": ["inference_engine"]}
    assert await client.subscribe(*events, agents=agents, filters=filters) == {
        "events": events, "agents": agents, "status": "active",
    }
    assert (await client.next())["type"] == "metrics_update"


@pytest.mark.parametrize("more", [{}, {"agents": []}, {"agents": None}])
async def test_fa_09_no_agents_named_are_all_agents(fa: Any, more: dict[str, Any]) -> None:
    """FA-09."""
    client = await fa.connect()
    assert (await client.subscribe("agent_status", **more))["agents"] == []
    for agent_id in ("a", "b"):
        await fa.cw.say(agent_id)
        assert (await client.hear("agent_status"))["agent_id"] == agent_id


async def test_fa_07_named_agents_are_told_of_and_no_others(fa: Any) -> None:
    """FA-07."""
    client = await fa.connect()
    await client.subscribe("agent_status", agents=["a", "c"])
    for agent_id in ("a", "b", "c", "d"):
        await fa.cw.say(agent_id)
    await client.hear("agent_status")
    await client.hear("agent_status")
    assert about(client.heard) == ["a", "c"]
    assert about(await client.until_pong()) == []


@pytest.mark.parametrize(("name", "type"), [
    ("metrics", "metrics_update"), ("metrics", "performance_alert"), ("performance_alert", "performance_alert"),
])
async def test_fa_10_the_names_of_the_examples_stand_for_those_of_the_reference(fa: Any, name: str, type: str) -> None:
    """FA-10: `metrics` is metrics_update and performance_alert; `system_alerts` is tried with the alerts."""
    client = await fa.connect()
    await client.subscribe(name)
    await fa.cw.alert("a")
    await client.hear(type)


async def test_fa_11_an_unknown_event_is_refused_by_name_with_those_there_are(fa: Any) -> None:
    """FA-11, FA-50."""
    client = await fa.connect()
    data = await client.subscribe("invalid_event")
    assert data["error_code"] == "INVALID_EVENT_TYPE"
    assert data["error_message"] == "Event type 'invalid_event' is not supported"
    assert set(data["supported_events"]) == {*TYPES, "metrics", "system_alerts"} > set(REFERENCE)
    assert await client.until_pong() == []


async def test_fa_12_the_valid_ones_of_a_mixed_list_are_subscribed(fa: Any) -> None:
    """FA-12."""
    client = await fa.connect()
    await client.say("subscribe", events=["nonsense", "agent_status", "x" * 150])
    error = await client.hear("subscription_error")
    assert error["error_message"] == f"Event types 'nonsense', '{'x' * 100}' are not supported"
    assert (await client.hear("subscription_confirmed"))["events"] == ["agent_status"]
    await fa.cw.say("a")
    await client.hear("agent_status")


async def test_fa_13_alerts_are_filtered_by_severity(fa: Any) -> None:
    """FA-13: our `critical` is this contract's `error`."""
    info, error = await fa.connect(), await fa.connect()
    await info.subscribe("performance_alert", filters={"severity": ["info"]})
    await error.subscribe("performance_alert", filters={"severity": ["warning", "error"]})
    await fa.cw.alert("a")
    assert (await error.hear("performance_alert"))["severity"] == "error"
    await error.until_pong()
    assert await info.until_pong() == []


async def test_fa_13_alerts_are_filtered_by_component(fa: Any) -> None:
    """FA-13: an agent's alert affects that agent. Frames of other kinds are not filtered."""
    client = await fa.connect()
    await client.subscribe("performance_alert", "agent_status", filters={"components": ["b"]})
    await fa.cw.alert("a")
    await fa.cw.alert("b")
    data = await client.hear("performance_alert")
    assert data["affected_components"] == ["b"]
    assert "a" in about(client.heard)
    assert "performance_alert" not in [message["type"] for message in await client.until_pong()]


async def test_fa_13_filters_stay_until_others_come(fa: Any) -> None:
    """FA-13."""
    client = await fa.connect()
    await client.subscribe("performance_alert", filters={"severity": ["info"]})
    await client.subscribe("performance_alert")
    await fa.cw.alert("a")
    await fa.cw.say("a")
    assert await client.until_pong() == []
    await client.subscribe("performance_alert", filters={})
    await fa.cw.alert("b")
    assert (await client.hear("performance_alert"))["agent_id"] == "b"


async def test_fa_14_what_is_unsubscribed_is_told_no_more(fa: Any) -> None:
    """FA-14, FA-15: the confirmation has the shape of the subscription's."""
    client = await fa.connect()
    await client.subscribe("agent_status", "agent_created")
    await client.say("unsubscribe", events=["agent_status"])
    assert await client.hear("unsubscription_confirmed") == {
        "events": ["agent_status"], "agents": [], "status": "inactive",
    }
    await fa.cw.say("a")
    await client.hear("agent_created")
    assert await client.until_pong() == []
    assert "agent_status" not in client.types()


async def test_fa_14_one_agent_can_be_taken_out_of_some_or_of_all(fa: Any) -> None:
    """FA-14."""
    some, rest = await fa.connect(), await fa.connect()
    await some.subscribe("agent_status", "agent_created", agents=["a", "b"])
    await some.say("unsubscribe", events=["agent_status"], agents=["a"])
    await rest.subscribe("agent_status")
    await rest.say("unsubscribe", agents=["a"])
    for client in (some, rest):
        await client.hear("unsubscription_confirmed")
    for agent_id in ("a", "b"):
        await fa.cw.say(agent_id)
    for client in (some, rest):
        assert (await client.hear("agent_status"))["agent_id"] == "b"
    assert about(some.heard, "agent_created") == ["a", "b"]
    await rest.subscribe("agent_status", agents=["a"])
    await fa.cw.post("/api/agents/a/pause")
    assert (await rest.hear("agent_status"))["agent_id"] == "a"
    assert about(await some.until_pong()) == []


async def test_fa_14_metrics_come_no_more_either(fa: Any) -> None:
    """FA-14."""
    client = await fa.connect()
    await client.say("configure", metrics_interval=100)
    await client.subscribe("metrics")
    await client.hear("metrics_update")
    await client.say("unsubscribe", events=["metrics"])
    await client.hear("unsubscription_confirmed")
    pool = await client.hear("connection_pool_info", "metrics_update")  # comes a second later
    assert "pool_id" in pool


async def test_fa_14_an_unknown_event_cannot_be_unsubscribed(fa: Any) -> None:
    """FA-11, FA-14."""
    client = await fa.connect()
    await client.say("unsubscribe", events=["nonsense"])
    assert (await client.hear("subscription_error"))["error_code"] == "INVALID_EVENT_TYPE"
    assert await client.until_pong() == []


async def test_fa_15_two_connections_have_subscriptions_of_their_own(fa: Any) -> None:
    """FA-15."""
    one, other, third = await fa.connect(), await fa.connect(), await fa.connect()
    await one.subscribe("agent_created")
    await other.subscribe("agent_status", agents=["b"])
    await fa.cw.say("a")
    await fa.cw.say("b")
    await other.hear("agent_status")
    await one.hear("agent_created")
    await one.hear("agent_created")
    assert set(one.types()) == {"connection_established", "subscription_confirmed", "agent_created"}
    assert about(other.heard) == ["b"]
    assert await third.until_pong() == []


async def test_fa_15_a_key_for_some_agents_hears_of_those_only(fa: Any) -> None:
    """FA-15: also where it asks for others, or for all."""
    client = await fa.connect(key=await fa.cw.make_key("read", agents=["mine-*"]))
    await client.say("configure", metrics_interval=100)
    await client.subscribe(*TYPES[:19])
    await client.subscribe("agent_status", agents=["yours"])
    await fa.cw.alert("yours")
    await fa.report("yours", "r", kind="inference", status="running", input="secret plans")
    await fa.cw.say("yours", "entity", op="created", entityId="e", label="secret plans")
    await fa.cw.post("/api/agents/yours/stop")
    await fa.cw.say("mine-1")
    await client.hear("agent_status")
    await client.until_pong()
    while "mine-1" not in (await client.hear("metrics_update"))["agents"]:
        pass
    assert not [message for message in client.heard if "yours" in str(message["data"].get("agent_id"))]
    assert "secret plans" not in str(client.heard)
    assert not [m for m in client.heard if m["type"] == "metrics_update" and "yours" in m["data"]["agents"]]
    await client.say("command", agent_id="yours", command="get_status")
    assert (await client.hear("command_error"))["error_code"] == "AGENT_NOT_FOUND"


@pytest.mark.parametrize("name", REFERENCE)
async def test_fa_40_every_type_of_the_reference_can_be_subscribed_to(fa: Any, name: str) -> None:
    """FA-40."""
    client = await fa.connect()
    assert (await client.subscribe(name))["events"] == [name]


async def test_fa_46_the_twenty_first_type_is_refused(fa: Any) -> None:
    """FA-46: the twenty before it hold, and what is there already costs nothing."""
    client = await fa.connect()
    await client.say("subscribe", events=REFERENCE[:21])
    error = await client.hear("subscription_error")
    assert (error["current_usage"], error["limit"]) == (20, 20)
    assert error["limit_type"] == "subscriptions_per_connection"
    assert (await client.hear("subscription_confirmed"))["events"] == REFERENCE[:20]
    assert (await client.subscribe(REFERENCE[21]))["error_code"] == "RATE_LIMIT_EXCEEDED"
    assert (await client.subscribe(REFERENCE[0]))["status"] == "active"
    await client.say("unsubscribe", events=[REFERENCE[0]])
    await client.hear("unsubscription_confirmed")
    assert (await client.subscribe(REFERENCE[21]))["status"] == "active"


async def test_fa_47_development_allows_all_types_at_once(run_cw: Any, door_of: Any) -> None:
    """FA-47."""
    async with run_cw(apis={"freeagentics": {"limits": "development"}}) as cw:
        client = await door_of(cw).connect()
        assert (await client.subscribe(*REFERENCE))["events"] == REFERENCE


async def test_the_agents_a_connection_names_are_bounded(fa: Any) -> None:
    client = await fa.connect()
    names = [f"a{n}" for n in range(1000)]
    assert (await client.subscribe("agent_status", agents=names))["status"] == "active"
    assert "agents" in (await client.subscribe("agent_status", agents=["one-more"]))["error_message"]
    assert "agents" in (await client.subscribe("agent_status", agents=[*names, "one-more"]))["error_message"]
