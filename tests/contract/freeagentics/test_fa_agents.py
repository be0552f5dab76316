"""Agents as this door tells of them, and the commands it gives them."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.freeagentics.words import STATUS_OF

from clawatch.domain.agents import Status
from clawatch.domain.time import MINUTE, SECOND

NOW = "2026-03-09T14:00:00.000Z"


@pytest.fixture
async def client(fa: Any) -> Any:
    """Subscribed to everything about agents."""
    client = await fa.connect()
    await client.subscribe("agent_status", "agent_created", "agent_deleted", "agent_updated")
    return client


async def test_fa_27_a_new_agent_is_told_as_created(fa: Any, client: Any) -> None:
    """FA-27; and X-01: one that comes in by the ClaWatch API."""
    await fa.cw.say("agent_789", agentName="New Research Agent", kind="research_v2")
    assert await client.hear("agent_created") == {
        "agent_id": "agent_789", "name": "New Research Agent", "template": "research_v2", "created_by": "ops",
        "status": "active",
    }


async def test_fa_26_a_new_agent_comes_from_pending(fa: Any, client: Any) -> None:
    """FA-26: dashboards that know agents from `agent_status` alone learn of it, too."""
    await fa.cw.say("a")
    assert await client.hear("agent_status") == {
        "agent_id": "a", "old_status": "pending", "new_status": "active", "reason": "first_report",
        "last_inference": None, "inference_count": 0, "status": "active", "timestamp": NOW,
    }


async def test_fa_26_a_change_of_status_tells_old_new_and_why(fa: Any, client: Any) -> None:
    """FA-26."""
    await fa.report("a", "r1", kind="inference", status="running")
    await fa.report("a", "r1", kind="inference", status="completed")
    await client.hear("agent_status")
    await fa.cw.say("a", "status_change", status="idle")
    data = await client.hear("agent_status")
    assert (data["old_status"], data["new_status"], data["reason"]) == ("active", "idle", "reported_by_agent")
    assert (data["last_inference"], data["inference_count"]) == (NOW, 1)
    await fa.cw.say("a", "error", error="boom")
    data = await client.hear("agent_status")
    assert (data["old_status"], data["new_status"], data["reason"]) == ("idle", "error", "error_reported")


async def test_fa_28_a_removed_agent_is_told_as_deleted(fa: Any, client: Any) -> None:
    """FA-28."""
    await fa.cw.say("a", agentName="Old Agent")
    await fa.cw.ask("DELETE", "/api/agents/a")
    assert await client.hear("agent_deleted") == {
        "agent_id": "a", "name": "Old Agent", "deleted_by": "ops", "reason": "user_request",
    }
    assert "agent_deleted" not in [message["type"] for message in await client.until_pong()]


async def test_fa_29_what_is_new_about_an_agent_is_told_as_updated(fa: Any, client: Any) -> None:
    """FA-29."""
    await fa.cw.say("a")
    await fa.cw.say("a", agentName="Better", labels={"team": "red"})
    data = await client.hear("agent_updated")
    assert (data["agent_id"], data["name"]) == ("a", "Better")
    assert data["changes"] == {"name": "Better", "labels": {"team": "red"}}
    await fa.cw.say("a", agentName="Better")
    assert await client.until_pong() == []


def test_x_02_every_status_has_a_word_and_only_the_contracts() -> None:
    """X-02."""
    assert set(STATUS_OF) == set(Status)
    assert set(STATUS_OF.values()) == {"pending", "idle", "active", "paused", "stopped", "error"}


async def test_x_03_what_is_done_by_other_doors_is_told_within_a_second(fa: Any, client: Any) -> None:
    """X-03."""
    await fa.cw.say("a")
    await client.hear("agent_status")
    for verb, new, reason in (("pause", "paused", "paused_by_user"), ("resume", "active", "started_by_user")):
        await fa.cw.post(f"/api/agents/a/{verb}")
        data = await client.ws.receive_json(timeout=1)
        assert (data["data"]["new_status"], data["data"]["reason"]) == (new, reason)
    await client.say("command", agent_id="a", command="stop")
    await client.hear("agent_status")
    assert (await fa.cw.agent())["status"] == "stopped"


async def test_x_03_an_agent_that_is_stuck_is_told_as_in_error_and_its_return(fa: Any, client: Any) -> None:
    """X-02, X-03."""
    await fa.cw.say("a")
    await client.hear("agent_status")
    fa.cw.clock.advance(2 * MINUTE)
    await fa.cw.settle()
    fa.cw.clock.advance(5 * MINUTE + SECOND)
    await fa.cw.settle()
    data = await client.hear("agent_status")
    assert (data["old_status"], data["new_status"], data["reason"]) == ("active", "error", "no_sign_of_life")
    await fa.cw.say("a")
    data = await client.hear("agent_status")
    assert (data["old_status"], data["new_status"]) == ("error", "active")


# -- commands


async def order(client: Any, agent_id: str, command: str, **more: Any) -> Any:
    await client.say("command", agent_id=agent_id, command=command, **more)
    return await client.hear("command_result", "command_error")


@pytest.mark.parametrize(("verb", "status", "reason"), [
    ("stop", "stopped", "stopped_by_user"), ("restart", "active", "restarted_by_user"),
])
async def test_fa_16_20_21_a_command_is_carried_to_the_agent_and_its_true_state_told(
    fa: Any, client: Any, verb: str, status: str, reason: str
) -> None:
    """FA-16, FA-20, FA-21: at first it has been requested, and no more."""
    await fa.cw.say("a")
    await client.hear("agent_status")
    await client.say("command", agent_id="a", command=verb, parameters={"graceful": True}, request_id="req_1")
    data = [await client.hear("command_result", "agent_status") for _ in range(2)]
    result, told = sorted(data, key=lambda one: "old_status" in one)
    assert {key: result[key] for key in ("command", "agent_id", "request_id", "status", "message")} == {
        "command": verb, "agent_id": "a", "request_id": "req_1", "status": "requested", "message": f"asked to {verb}",
    }
    assert (told["old_status"], told["new_status"], told["reason"]) == ("active", status, reason)
    (taken,) = (await fa.cw.get("/api/agents/a/commands"))["commands"]
    assert (taken["id"], taken["type"], taken["parameters"]) == (result["command_id"], verb, {"graceful": True})


async def test_fa_21_the_one_who_asked_hears_how_it_goes_on_and_nobody_else(fa: Any, client: Any) -> None:
    """FA-21."""
    await fa.cw.say("a")
    other = await fa.connect()
    first = await order(client, "a", "stop")
    await fa.cw.get("/api/agents/a/commands")
    assert (await client.hear("command_result"))["status"] == "delivered"
    result = {"state": "confirmed", "message": "good night"}
    await fa.cw.post(f"/api/commands/{first['command_id']}/result", result)
    last = await client.hear("command_result")
    assert (last["status"], last["message"]) == ("confirmed", "stopped, confirmed: good night")
    assert last["request_id"] == first["request_id"]
    assert await other.until_pong() == []
    assert client.types().count("command_result") == 3


async def test_fa_20_start_brings_a_stopped_agent_back(fa: Any, client: Any) -> None:
    """FA-20."""
    await fa.cw.say("a")
    await order(client, "a", "stop")
    await client.say("command", agent_id="a", command="start")
    while (data := await client.hear("agent_status"))["reason"] != "started_by_user":
        pass
    assert (data["old_status"], data["new_status"]) == ("stopped", "active")
    assert (await fa.cw.agent())["status"] == "running"


async def test_fa_21_what_is_so_already_is_told_as_unchanged(fa: Any, client: Any) -> None:
    """FA-21."""
    await fa.cw.say("a")
    data = await order(client, "a", "start")
    assert (data["status"], data["command_id"], data["message"]) == ("unchanged", None, "there is nothing to start")


async def test_fa_21_an_agent_that_nobody_can_reach_is_not_said_to_obey(fa: Any, client: Any) -> None:
    """FA-21: known by telemetry alone, it cannot be controlled."""
    said = {"session.id": "s1", "clawatch.agent.id": "far", "event.name": "user_prompt"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [
        {"timeUnixNano": str(fa.cw.clock.now().wall * 1_000_000), "attributes": attributes},
    ]}]}]}
    await fa.cw.post("/v1/logs", body)
    data = await order(client, "far", "stop")
    assert (data["status"], data["message"].partition(":")[0]) == ("unsupported", "cannot be stopped")


async def test_fa_16_a_new_configuration_goes_to_the_agent_and_is_told_once_it_is_taken_over(
    fa: Any, client: Any
) -> None:
    """FA-16, FA-29."""
    await fa.cw.say("a")
    data = await order(client, "a", "update_config", parameters={"model": "small"})
    assert data["status"] == "requested"
    (taken,) = (await fa.cw.get("/api/agents/a/commands"))["commands"]
    assert (taken["type"], taken["parameters"]) == ("update_config", {"model": "small"})
    assert "agent_updated" not in client.types()
    await fa.cw.post(f"/api/commands/{taken['id']}/result", {"state": "confirmed"})
    data = await client.hear("agent_updated")
    assert (data["changes"], data["updated_by"]) == ({"configuration": {"model": "small"}}, "ops")


async def test_fa_19_get_status_is_answered_at_once_and_to_the_asker_alone(fa: Any, client: Any) -> None:
    """FA-19: without a subscription, and it needs no right to control."""
    await fa.cw.say("a")
    await client.until_pong()
    asker = await fa.connect(key=await fa.cw.make_key("read"))
    await asker.say("command", agent_id="a", command="get_status")
    status = await asker.hear("agent_status")
    assert (status["agent_id"], status["old_status"], status["new_status"]) == ("a", "active", "active")
    assert (await asker.hear("command_result"))["status"] == "confirmed"
    assert await client.until_pong() == []


async def test_fa_17_an_unknown_agent_is_told_by_its_id(fa: Any, client: Any) -> None:
    """FA-17, FA-50."""
    data = await order(client, "agent_123", "start", request_id="req_789")
    assert data == {
        "command": "start", "agent_id": "agent_123", "error_code": "AGENT_NOT_FOUND",
        "error_message": "Agent with ID 'agent_123' not found", "request_id": "req_789",
    }
    assert (await order(client, "agent_123", "get_status"))["request_id"]


@pytest.mark.parametrize(("data", "code"), [
    ({"agent_id": "a", "command": "dance"}, "INVALID_COMMAND"),
    ({"agent_id": "a"}, "INVALID_MESSAGE_FORMAT"),
    ({"command": "stop"}, "INVALID_MESSAGE_FORMAT"),
    ({"agent_id": 7, "command": "stop"}, "INVALID_MESSAGE_FORMAT"),
    ({"agent_id": "a" * 201, "command": "stop"}, "INVALID_MESSAGE_FORMAT"),
    ({"agent_id": "a", "command": "stop", "parameters": []}, "INVALID_MESSAGE_FORMAT"),
])
async def test_fa_18_a_command_that_makes_no_sense_is_refused(fa: Any, client: Any, data: Any, code: str) -> None:
    """FA-18."""
    await fa.cw.say("a")
    await client.say("command", **data)
    error = await client.hear("command_error", "command_result")
    assert (error["error_code"], error["command"]) == (code, data.get("command"))
    assert (await fa.cw.agent())["status"] == "running"


async def test_fa_22_a_key_that_may_not_control_changes_nothing(fa: Any) -> None:
    """FA-22, FA-50."""
    await fa.cw.say("a")
    reader = await fa.connect(key=await fa.cw.make_key("read", "ingest"))
    for verb in ("stop", "start", "restart", "pause", "update_config"):
        data = await order(reader, "a", verb)
        assert (data["error_code"], data["agent_id"]) == ("PERMISSION_DENIED", "a")
    assert (await fa.cw.agent())["status"] == "running"
    assert (await fa.cw.get("/api/commands"))["commands"] == []


async def test_fa_20_commands_of_one_client_are_carried_out_in_their_order(fa: Any, client: Any) -> None:
    """FA-20."""
    await fa.cw.say("a")
    for verb in ("stop", "start", "pause", "resume", "stop"):
        await client.say("command", agent_id="a", command=verb)
    requested: list[str] = []
    while len(requested) < 5:
        data = await client.hear("command_result")
        requested += [data["command"]] if data["status"] == "requested" else []
    assert requested == ["stop", "start", "pause", "resume", "stop"]
    assert (await fa.cw.agent())["status"] == "stopped"
