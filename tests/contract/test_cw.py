"""The ClaWatch contract, line by line: each test names its line of the seed's checklist."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from clawatch.domain.time import HOUR, MINUTE, SECOND, iso

AGENT_KEYS = {
    "id", "name", "host", "status", "lastHeartbeat", "createdAt", "costUsd", "tokenCount", "errorCount",
}
STATUSES = {"running", "paused", "stopped", "error", "stuck"}
SEED_TYPES = ["heartbeat", "tool_call", "error", "cost", "status_change"]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


# -- the key


@pytest.mark.parametrize("name", ["X-ClaWatch-Key", "x-clawatch-key", "X-CLAWATCH-KEY"])
async def test_cw_01_the_key_is_read_from_its_header_in_any_case(cw: Any, name: str) -> None:
    answer = await cw.ask("GET", "/api/agents", key=None, headers={name: cw.key})
    assert answer.status == 200


@pytest.mark.parametrize("key", [None, "wrong", "cw_" + "x" * 43])
async def test_cw_02_a_missing_or_wrong_key_is_401_with_the_error_in_words(cw: Any, key: str | None) -> None:
    for method, path in (("GET", "/api/agents"), ("POST", "/api/events"), ("GET", "/api/costs")):
        answer = await cw.ask(method, path, key=key)
        assert (answer.status, answer.body) == (401, {"error": "Invalid or missing API key"})


async def test_cw_03_what_is_told_of_keys_and_parts_holds_no_secret(cw: Any) -> None:
    made = await cw.make_key("read", name="r")
    for path in ("/api/keys", "/api/system", "/api/openapi.json"):
        text = str(await cw.get(path))
        assert made not in text
        assert cw.key not in text


# -- agents


async def test_cw_04_and_09_no_agents_are_an_empty_array_in_an_object(cw: Any) -> None:
    body = await cw.get("/api/agents")
    assert body["agents"] == []


async def test_cw_05_an_agent_has_exactly_the_named_keys_and_more(cw: Any) -> None:
    await cw.say("agent_abc123", "heartbeat", agentName="my-assistant", host="macbook-pro")
    (agent,) = (await cw.get("/api/agents"))["agents"]
    assert agent.keys() >= AGENT_KEYS
    assert (agent["id"], agent["name"], agent["host"]) == ("agent_abc123", "my-assistant", "macbook-pro")


async def test_cw_06_numbers_are_numbers_and_never_null(cw: Any) -> None:
    await cw.say()
    (agent,) = (await cw.get("/api/agents"))["agents"]
    assert isinstance(agent["costUsd"], (int, float))
    assert type(agent["tokenCount"]) is int
    assert type(agent["errorCount"]) is int


@pytest.mark.parametrize(
    "word", ["running", "paused", "stopped", "error", "stuck", "idle", "pending", "online", "busy", "active", "offline"]
)
async def test_cw_07_whatever_is_reported_the_status_is_one_of_the_five(cw: Any, word: str) -> None:
    await cw.say("a", "status_change", status=word)
    assert (await cw.agent())["status"] in STATUSES


@pytest.mark.parametrize("type", ["message", "metrics", "entity"])
async def test_cw_07_an_agent_that_never_said_how_it_is_has_one_of_the_five_too(cw: Any, type: str) -> None:
    data = {"entity": {"op": "created", "entityId": "e"}}.get(type, {})
    await cw.say("a", type, **data)
    assert (await cw.agent())["status"] in STATUSES


async def test_cw_08_instants_are_iso_8601_in_utc_with_z(cw: Any) -> None:
    await cw.say("live")
    await cw.ask("POST", "/api/events", json={"agentId": "late", "type": "cost"}, headers={"X-ClaWatch-Spool": "1"})
    for agent in (await cw.get("/api/agents"))["agents"]:
        assert INSTANT.fullmatch(agent["lastHeartbeat"])
        assert INSTANT.fullmatch(agent["createdAt"])


async def test_cw_09_agents_come_by_last_heartbeat_newest_first(cw: Any) -> None:
    for agent_id in ("a", "b", "c", "a"):
        cw.clock.advance(SECOND)
        await cw.say(agent_id)
    assert [agent["id"] for agent in (await cw.get("/api/agents"))["agents"]] == ["a", "c", "b"]


async def test_cw_10_an_agent_in_detail_is_unwrapped_with_its_recent_events(cw: Any) -> None:
    await cw.say()
    agent = await cw.agent()
    assert agent.keys() >= AGENT_KEYS | {"recentEvents"}


async def test_cw_11_recent_events_always_have_data(cw: Any) -> None:
    await cw.post("/api/events", {"agentId": "a", "type": "heartbeat"})
    await cw.post("/api/events", {"agentId": "a", "type": "heartbeat", "data": None})
    for event in (await cw.agent())["recentEvents"]:
        assert event.keys() >= {"type", "timestamp", "data"}
        assert event["data"] == {}
        assert INSTANT.fullmatch(event["timestamp"])


async def test_cw_12_recent_events_hold_only_the_five_types(cw: Any) -> None:
    for kind in (*SEED_TYPES, "message", "metrics"):
        await cw.say("a", kind)
    await cw.say("a", "run", runId="r1", status="running")
    await cw.say("a", "entity", op="created", entityId="e")
    types = [event["type"] for event in (await cw.agent())["recentEvents"]]
    assert types == SEED_TYPES[::-1]


async def test_cw_13_recent_events_are_newest_first_and_at_most_fifty(cw: Any) -> None:
    await cw.post("/api/events", [{"agentId": "a", "type": "heartbeat", "data": {"n": n}} for n in range(60)])
    assert [event["data"]["n"] for event in (await cw.agent())["recentEvents"]] == list(range(59, 9, -1))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/agents/nobody"), ("POST", "/api/agents/nobody/pause"), ("POST", "/api/agents/nobody/resume")],
)
async def test_cw_14_an_unknown_agent_is_404(cw: Any, method: str, path: str) -> None:
    answer = await cw.ask(method, path)
    assert (answer.status, answer.body) == (404, {"error": "Agent not found"})


async def test_cw_15_pause_needs_no_body_and_gives_the_paused_agent(cw: Any) -> None:
    await cw.say()
    answer = await cw.ask("POST", "/api/agents/a/pause", headers={"Content-Type": "application/json"}, data=b"")
    assert answer.status == 200
    assert answer.body.keys() >= AGENT_KEYS
    assert answer.body["status"] == "paused"


async def test_cw_16_resume_gives_the_running_agent_with_a_fresh_heartbeat(cw: Any) -> None:
    await cw.say()
    await cw.post("/api/agents/a/pause")
    cw.clock.advance(MINUTE)
    agent = await cw.post("/api/agents/a/resume")
    assert agent["status"] == "running"
    assert agent["lastHeartbeat"] == iso(cw.clock.now().wall)


async def test_cw_17_pause_and_resume_are_seen_in_the_next_list_and_idempotent(cw: Any) -> None:
    await cw.say()
    for verb, status in (("pause", "paused"), ("pause", "paused"), ("resume", "running"), ("resume", "running")):
        assert (await cw.post(f"/api/agents/a/{verb}"))["status"] == status
        assert [agent["status"] for agent in (await cw.get("/api/agents"))["agents"]] == [status]


async def test_cw_18_resume_of_an_agent_that_is_not_paused_changes_nothing(cw: Any) -> None:
    await cw.say("a", "error", error="boom")
    before = await cw.agent()
    assert (await cw.post("/api/agents/a/resume"))["status"] == before["status"] == "error"


async def test_cw_19_a_heartbeat_or_error_of_a_paused_agent_does_not_unpause_it(cw: Any) -> None:
    await cw.say()
    await cw.post("/api/agents/a/pause")
    cw.clock.advance(SECOND)
    await cw.say()
    await cw.say("a", "error", error="boom")
    await cw.say("a", "status_change", status="running")
    agent = await cw.agent()
    assert agent["status"] == "paused"
    assert agent["lastHeartbeat"] == iso(cw.clock.now().wall)


# -- events


@pytest.mark.parametrize("type", SEED_TYPES)
async def test_cw_20_and_21_the_seeds_event_is_taken_with_201(cw: Any, type: str) -> None:
    event = {
        "agentId": "agent_abc123",
        "agentName": "my-assistant",
        "host": "macbook-pro",
        "type": type,
        "timestamp": "2026-03-09T14:00:00Z",
        "data": {
            "message": "optional description",
            "tokenCount": 1500,
            "costUsd": 0.03,
            "model": "claude-sonnet-4-20250514",
            "toolName": "exec",
            "error": "optional error message",
        },
    }
    answer = await cw.ask("POST", "/api/events", json=event)
    assert answer.status == 201
    assert answer.body["ok"] is True
    assert (await cw.agent("agent_abc123"))["recentEvents"][0]["data"] == event["data"]


async def test_cw_22_an_unknown_type_is_400_and_names_the_known_ones(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/events", json={"agentId": "a", "type": "dance"})
    assert answer.status == 400
    assert all(kind in answer.body["error"] for kind in SEED_TYPES)
    assert (await cw.get("/api/agents"))["agents"] == []


@pytest.mark.parametrize("event", [{}, {"agentId": "a"}, {"type": "cost"}, {"agentId": "", "type": "cost"}])
async def test_cw_23_an_agent_and_a_type_are_required(cw: Any, event: dict[str, str]) -> None:
    answer = await cw.ask("POST", "/api/events", json=event)
    assert (answer.status, answer.body["error"]) == (400, "agentId and type are required")


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[", b"nonsense", b'{"agentId":', b"\xff\xfe", b"null", b"5", b'"text"', b"[" * 50_000,
        b'{"agentId":"a","type":"cost","data":' + b'{"a":' * 20_000, b'{"agentId":"\xff","type":"cost"}',
        b'{"agentId":"a","type":"heartbeat","data":{"a":NaN}}', b'{"agentId":"\\ud800","type":"cost"}',
    ],
)
async def test_cw_24_a_malformed_body_is_400_with_an_error_in_json(cw: Any, body: bytes) -> None:
    answer = await cw.ask("POST", "/api/events", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert isinstance(answer.body["error"], str)


async def test_cw_25_the_first_event_registers_the_agent(cw: Any) -> None:
    await cw.say("a")
    agent = await cw.agent()
    assert (agent["name"], agent["host"], agent["createdAt"]) == ("a", "", iso(cw.clock.now().wall))


async def test_cw_26_what_is_missing_is_filled_in(cw: Any) -> None:
    await cw.post("/api/events", {"agentId": "a", "type": "heartbeat"})
    agent = await cw.agent()
    (event,) = agent["recentEvents"]
    assert (agent["name"], agent["lastHeartbeat"]) == ("a", iso(cw.clock.now().wall))
    assert (event["timestamp"], event["data"]) == (iso(cw.clock.now().wall), {})


async def test_cw_27_unknown_keys_of_data_are_kept(cw: Any) -> None:
    await cw.say("a", "heartbeat", mood="fine", nested={"deep": [1, 2.5, None, True]})
    (event,) = (await cw.agent())["recentEvents"]
    assert event["data"] == {"mood": "fine", "nested": {"deep": [1, 2.5, None, True]}}


async def test_cw_28_a_heartbeat_sets_running_and_time_never_moves_backwards(cw: Any) -> None:
    await cw.say("a", "error", error="boom")
    await cw.say()
    now = iso(cw.clock.now().wall)
    await cw.say("a", "heartbeat", timestamp=iso(cw.clock.now().wall - HOUR))
    agent = await cw.agent()
    assert (agent["status"], agent["lastHeartbeat"]) == ("running", now)


async def test_cw_29_costs_and_tokens_add_up_on_the_agent_and_its_models(cw: Any) -> None:
    await cw.say("a", "cost", costUsd=0.1, tokenCount=100, model="m1")
    await cw.say("a", "cost", costUsd=0.2, tokenCount=200, model="m2")
    await cw.say("a", "tool_call", costUsd=0.3, tokenCount=300, model="m1", toolName="exec")
    agent = await cw.agent()
    assert (agent["costUsd"], agent["tokenCount"]) == (0.6, 600)
    by_model = {one["model"]: (one["costUsd"], one["tokenCount"]) for one in (await cw.get("/api/costs"))["byModel"]}
    assert by_model == {"m1": (0.4, 400), "m2": (0.2, 200)}


async def test_cw_30_an_error_counts_once_and_sets_the_status_when_it_says_what(cw: Any) -> None:
    await cw.say()
    await cw.say("a", "error", message="no error key")
    agent = await cw.agent()
    assert (agent["errorCount"], agent["status"]) == (1, "running")
    await cw.say("a", "error", error="boom")
    agent = await cw.agent()
    assert (agent["errorCount"], agent["status"]) == (2, "error")


@pytest.mark.parametrize(("word", "status"), [("running", "running"), ("error", "error"), ("stopped", "stopped")])
async def test_cw_31_a_status_change_sets_the_status(cw: Any, word: str, status: str) -> None:
    await cw.say()
    await cw.say("a", "status_change", status=word)
    assert (await cw.agent())["status"] == status


async def test_cw_31_an_unknown_status_is_refused_and_the_known_ones_named(cw: Any) -> None:
    answer = await cw.ask(
        "POST", "/api/events", json={"agentId": "a", "type": "status_change", "data": {"status": "dancing"}}
    )
    assert answer.status == 400
    assert "running" in answer.body["error"]


async def test_cw_32_a_tool_call_keeps_its_tool(cw: Any) -> None:
    await cw.say("a", "tool_call", toolName="exec")
    (event,) = (await cw.agent())["recentEvents"]
    assert (event["type"], event["data"]["toolName"]) == ("tool_call", "exec")


async def test_cw_33_counts_survive_a_hundred_posts_at_once(cw: Any) -> None:
    await asyncio.gather(
        *(cw.say("a", "error", error=f"boom {n}", costUsd=0.01, tokenCount=1, model="m") for n in range(120))
    )
    agent = await cw.agent()
    assert (agent["errorCount"], agent["tokenCount"], agent["costUsd"]) == (120, 120, 1.2)


async def test_cw_33_a_batch_is_taken_in_its_order(cw: Any) -> None:
    words = ["running", "error", "stopped", "running", "error"]
    await cw.post("/api/events", [{"agentId": "a", "type": "status_change", "data": {"status": w}} for w in words])
    told = [event["data"]["status"] for event in (await cw.agent())["recentEvents"]]
    assert told == words[::-1]
    assert (await cw.agent())["status"] == "error"


# -- costs


@pytest.fixture
async def spent(cw: Any) -> Any:
    """Three agents' costs, ten minutes apart, the last one just now."""
    for agent_id, model, usd, tokens in (("a", "m1", 1.5, 10), ("b", "m2", 3.25, 20), ("a", "m2", 0.25, 30)):
        cw.clock.advance(10 * MINUTE)
        await cw.say(agent_id, "cost", costUsd=usd, tokenCount=tokens, model=model, agentName=agent_id.upper())
    return cw


async def test_cw_35_costs_without_any(cw: Any) -> None:
    body = await cw.get("/api/costs")
    assert body.items() >= {"totalUsd": 0, "byAgent": [], "byModel": []}.items()


async def test_cw_36_and_41_costs_by_agent_and_model_highest_first(spent: Any) -> None:
    body = await spent.get("/api/costs")
    told = [{key: one[key] for key in ("agentId", "name", "costUsd", "tokenCount")} for one in body["byAgent"]]
    assert told == [
        {"agentId": "b", "name": "B", "costUsd": 3.25, "tokenCount": 20},
        {"agentId": "a", "name": "A", "costUsd": 1.75, "tokenCount": 40},
    ]
    models = [{key: one[key] for key in ("model", "costUsd", "tokenCount")} for one in body["byModel"]]
    assert models == [
        {"model": "m2", "costUsd": 3.5, "tokenCount": 50},
        {"model": "m1", "costUsd": 1.5, "tokenCount": 10},
    ]


async def test_cw_37_an_agent_filters_both_lists_and_the_total(spent: Any) -> None:
    body = await spent.get("/api/costs", params={"agentId": "a"})
    assert body["totalUsd"] == 1.75
    assert [one["agentId"] for one in body["byAgent"]] == ["a"]
    assert {one["model"]: one["costUsd"] for one in body["byModel"]} == {"m1": 1.5, "m2": 0.25}


async def test_cw_38_bounds_are_inclusive_and_apply_to_total_and_both_lists(spent: Any) -> None:
    now = spent.clock.now().wall
    body = await spent.get("/api/costs", params={"from": iso(now - 10 * MINUTE), "to": iso(now - 10 * MINUTE)})
    assert body["totalUsd"] == 3.25
    assert [one["agentId"] for one in body["byAgent"]] == ["b"]
    assert [one["model"] for one in body["byModel"]] == ["m2"]
    body = await spent.get("/api/costs", params={"from": iso(now - 10 * MINUTE), "to": iso(now)})
    assert body["totalUsd"] == 3.5


@pytest.mark.parametrize("query", [{}, {"agentId": "a"}, {"from": "2026-03-09T14:15:00Z"}])
async def test_cw_39_the_total_is_the_sum_of_either_list(spent: Any, query: dict[str, str]) -> None:
    body = await spent.get("/api/costs", params=query)
    assert body["totalUsd"] == pytest.approx(sum(one["costUsd"] for one in body["byAgent"]))
    assert body["totalUsd"] == pytest.approx(sum(one["costUsd"] for one in body["byModel"]))


async def test_cw_40_an_unknown_agent_has_cost_nothing(spent: Any) -> None:
    body = await spent.get("/api/costs", params={"agentId": "nobody"})
    assert body.items() >= {"totalUsd": 0, "byAgent": [], "byModel": []}.items()


@pytest.mark.parametrize(
    "query",
    [{"from": "yesterday"}, {"to": "12"}, {"from": "2026-03-09T15:00:00Z", "to": "2026-03-09T14:00:00Z"}],
)
async def test_cw_40_bad_bounds_are_400(cw: Any, query: dict[str, str]) -> None:
    answer = await cw.ask("GET", "/api/costs", params=query)
    assert answer.status == 400
    assert answer.body["error"].startswith(("from", "to"))


async def test_cw_41_a_cost_without_a_model_has_a_word_for_it(cw: Any) -> None:
    await cw.say("a", "cost", costUsd=1)
    assert [one["model"] for one in (await cw.get("/api/costs"))["byModel"]] == ["unknown"]


# -- alerts


async def test_cw_42_to_44_an_alert_has_the_named_keys_and_words(cw: Any) -> None:
    assert (await cw.get("/api/alerts"))["alerts"] == []
    alert = await cw.alert("agent_abc123")
    assert alert.keys() >= {"id", "agentId", "type", "severity", "message", "timestamp", "acknowledged"}
    assert alert["agentId"] == "agent_abc123"
    assert alert["type"] in {"stuck", "error", "cost_spike", "loop_detected"}
    assert alert["severity"] in {"critical", "warning", "info"}
    assert alert["acknowledged"] is False
    assert INSTANT.fullmatch(alert["timestamp"])


async def test_cw_45_alerts_are_newest_first_and_at_most_a_hundred(cw: Any) -> None:
    batch = [{"agentId": f"a{n}", "type": "error", "data": {"error": "boom"}} for n in range(103) for _ in range(4)]
    for agent in range(0, len(batch), 400):
        await cw.post("/api/events", batch[agent : agent + 400])
        await cw.settle()
        cw.clock.advance(SECOND)
    alerts = await cw.alerts()
    assert len(alerts) == 100
    times = [alert["timestamp"] for alert in alerts]
    assert times == sorted(times, reverse=True)
    assert all(alert["id"].startswith("alert_") for alert in alerts)


async def test_cw_46_acknowledging_shows_in_the_next_list_and_is_idempotent(cw: Any) -> None:
    alert = await cw.alert()
    for _ in range(2):
        assert (await cw.post(f"/api/alerts/{alert['id']}/acknowledge"))["ok"] is True
        assert [one["acknowledged"] for one in await cw.alerts()] == [True]


async def test_cw_47_an_unknown_alert_is_404(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/alerts/alert_nothing/acknowledge")
    assert (answer.status, answer.body) == (404, {"error": "Alert not found"})


async def test_cw_48_polling_changes_nothing(cw: Any) -> None:
    await cw.say()
    before = await cw.get("/api/agents"), (await cw.get("/api/system"))["cursor"]
    for _ in range(20):
        await cw.get("/api/agents")
    assert (await cw.get("/api/agents"), (await cw.get("/api/system"))["cursor"]) == before


async def test_cw_49_there_is_a_live_stream_at_ws(cw: Any) -> None:
    ws = await cw.connect()
    await cw.say("a", "tool_call", toolName="exec")
    types = [(await ws.receive_json(timeout=5))["type"] for _ in range(2)]
    assert sorted(types) == ["agent", "event"]


# -- beside


async def test_cw_62_health_is_open(cw: Any) -> None:
    answer = await cw.ask("GET", "/health", key=None)
    assert answer.status == 200
    assert answer.body.keys() >= {"status", "timestamp"}


async def test_cw_63_events_can_be_asked_for(cw: Any) -> None:
    await cw.say("a", "tool_call", toolName="exec")
    (event,) = (await cw.get("/api/events"))["events"]
    assert (event["agentId"], event["type"], event["data"]) == ("a", "tool_call", {"toolName": "exec"})


async def test_cw_64_an_event_from_the_future_is_taken_at_its_receipt(cw: Any) -> None:
    await cw.say("a", "heartbeat", timestamp=iso(cw.clock.now().wall + HOUR))
    agent = await cw.agent()
    assert agent["lastHeartbeat"] == agent["lastSeen"] == iso(cw.clock.now().wall)


async def test_cw_64_an_event_hours_old_is_taken_and_keeps_its_time(cw: Any) -> None:
    await cw.say("a", "heartbeat", timestamp=iso(cw.clock.now().wall - 3 * HOUR))
    assert (await cw.agent())["lastHeartbeat"] == iso(cw.clock.now().wall - 3 * HOUR)


async def test_x_05_the_list_has_a_total_for_a_neighbours_client(cw: Any) -> None:
    await cw.say("a")
    await cw.say("b")
    assert (await cw.get("/api/agents"))["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404), ("PATCH", "/api/agents", 405), ("GET", "/api/runs/none", 404),
        ("GET", "/api/alerts?state=odd", 400), ("GET", "/api/events?limit=0", 400), ("GET", "/ws", 426),
    ],
)
async def test_x_07_every_refusal_is_an_error_in_json(cw: Any, method: str, path: str, status: int) -> None:
    answer = await cw.ask(method, path)
    assert answer.status == status
    assert isinstance(answer.body["error"], str)


async def test_cw_16_resume_gives_a_running_agent_that_had_paused_by_itself(cw: Any) -> None:
    await cw.say("a", "status_change", status="paused")
    assert (await cw.agent())["status"] == "paused"
    assert (await cw.post("/api/agents/a/resume"))["status"] == "running"
