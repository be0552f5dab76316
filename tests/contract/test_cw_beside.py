"""What stands beside the ClaWatch contract: batches, commands, silences, keys, runs, series."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from typing import Any

import pytest
from yarl import URL

from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, iso, parse_iso

BEAT = {"agentId": "a", "type": "heartbeat"}


# -- batches


async def test_an_array_is_taken_item_by_item(cw: Any) -> None:
    batch = [BEAT, {"agentId": "a"}, 5, {"agentId": "a", "type": "cost", "data": {"costUsd": "1"}}, BEAT]
    answer = await cw.ask("POST", "/api/events", json=batch)
    assert answer.status == 201
    assert (answer.body["ok"], answer.body["accepted"], answer.body["duplicates"]) == (True, 2, 0)
    assert [one["index"] for one in answer.body["rejected"]] == [1, 2, 3]
    assert answer.body["rejected"][0]["error"] == "agentId and type are required"
    assert "costUsd" in answer.body["rejected"][2]["error"]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json"])
async def test_lines_are_known_by_their_type_and_by_their_shape(cw: Any, content_type: str) -> None:
    body = b'{"agentId":"a","type":"heartbeat"}\r\n\n{"agentId":"b","type":"heartbeat"}\n{"agentId":\n'
    answer = await cw.ask("POST", "/api/events", data=body, headers={"Content-Type": content_type})
    assert (answer.status, answer.body["accepted"]) == (201, 2)
    assert [one["index"] for one in answer.body["rejected"]] == [2]


async def test_a_batch_of_which_nothing_is_taken_is_400_with_the_whole_list(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/events", json=[{"agentId": "a"}, {"agentId": "a", "type": "dance"}])
    assert answer.status == 400
    assert answer.body["error"].startswith("agentId and type are required")
    assert [one["index"] for one in answer.body["rejected"]] == [0, 1]
    assert answer.body["accepted"] == 0


async def test_an_empty_batch_is_fine(cw: Any) -> None:
    assert (await cw.post("/api/events", []))["accepted"] == 0


async def test_a_thousand_events_are_taken_and_one_more_is_413(cw: Any) -> None:
    assert (await cw.post("/api/events", [BEAT] * 1000))["accepted"] == 1000
    for body in (json.dumps([BEAT] * 1001), "\n".join([json.dumps(BEAT)] * 1001)):
        answer = await cw.ask("POST", "/api/events", data=body)
        assert answer.status == 413
        assert "1000" in answer.body["error"]


async def test_a_body_beyond_four_mebibytes_is_413_packed_or_not(cw: Any) -> None:
    body = json.dumps({**BEAT, "data": {"message": "x" * (4 * 1024 * 1024)}}).encode()
    for data, headers in ((body, {}), (gzip.compress(body), {"Content-Encoding": "gzip"})):
        answer = await cw.ask("POST", "/api/events", data=io.BytesIO(data), headers=headers)
        assert answer.status == 413, answer
        assert isinstance(answer.body["error"], str)


async def test_a_packed_body_is_unpacked(cw: Any) -> None:
    body = gzip.compress(json.dumps(BEAT).encode())
    answer = await cw.ask("POST", "/api/events", data=body, headers={"Content-Encoding": "gzip"})
    assert answer.status == 201


async def test_the_same_id_twice_is_one_event(cw: Any) -> None:
    event = {"agentId": "a", "type": "cost", "id": "e1", "data": {"costUsd": 1}}
    assert (await cw.post("/api/events", event))["accepted"] == 1
    again = await cw.post("/api/events", [event, event, {"agentId": "a"}])
    assert (again["accepted"], again["duplicates"], len(again["rejected"])) == (0, 2, 1)
    assert (await cw.agent())["costUsd"] == 1


async def test_a_foreign_agent_is_refused_by_its_place_and_403_alone(cw: Any) -> None:
    key = await cw.make_key("ingest", agents=["mine-*"])
    mine, foreign = {**BEAT, "agentId": "mine-1"}, {**BEAT, "agentId": "yours"}
    answer = await cw.ask("POST", "/api/events", json=[{"agentId": "x"}, foreign, mine], key=key)
    assert (answer.status, answer.body["accepted"]) == (201, 1)
    assert [one["index"] for one in answer.body["rejected"]] == [0, 1]
    answer = await cw.ask("POST", "/api/events", json=foreign, key=key)
    assert answer.status == 403
    assert "yours" in answer.body["error"]
    answer = await cw.ask("POST", "/api/events", json=[{"agentId": "x"}, foreign], key=key)
    assert answer.status == 400


async def test_a_key_that_may_only_read_cannot_report_and_the_other_way_round(cw: Any) -> None:
    reader, writer = await cw.make_key("read"), await cw.make_key("ingest")
    assert (await cw.ask("POST", "/api/events", json=BEAT, key=reader)).status == 403
    assert (await cw.ask("GET", "/api/agents", key=writer)).status == 403


async def test_spooled_events_count_but_are_no_sign_of_life(cw: Any) -> None:
    await cw.say()
    before = (await cw.agent())["lastSeen"]
    cw.clock.advance(MINUTE)
    event = {"agentId": "a", "type": "cost", "data": {"costUsd": 2}}
    await cw.ask("POST", "/api/events", json=event, headers={"X-ClaWatch-Spool": "1"})
    agent = await cw.agent()
    assert (agent["costUsd"], agent["lastSeen"]) == (2, before)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("cost", {"costUsd": -1}), ("cost", {"costUsd": "1"}), ("cost", {"tokenCount": 1.5}),
        ("cost", {"tokenCount": -1}), ("cost", {"tokenCount": 10**30}), ("cost", {"costUsd": True}),
        ("cost", {"costUsd": 1e300}), ("tool_call", {"ok": "yes"}), ("tool_call", {"durationMs": -1}),
        ("run", {}), ("run", {"runId": "r", "status": "odd"}), ("run", {"runId": "r", "progress": 2}),
        ("run", {"runId": "r", "progress": True}), ("entity", {"op": "created"}), ("entity", {"entityId": "e"}),
        ("entity", {"op": "created", "relationshipId": "r"}), ("metrics", {"cpu": "5"}), ("metrics", {"cpu": True}),
        ("error", {"error": {"text": "boom"}}),
    ],
)
async def test_data_that_makes_no_sense_is_refused_and_its_key_named(cw: Any, kind: str, data: dict[str, Any]) -> None:
    answer = await cw.ask("POST", "/api/events", json={"agentId": "a", "type": kind, "data": data})
    assert answer.status == 400, answer
    assert answer.body["error"].startswith("data")


@pytest.mark.parametrize(
    "top",
    [
        {"timestamp": 1773064800}, {"timestamp": "soon"}, {"phase": "middle"}, {"agentId": 5}, {"labels": ["a"]},
        {"agentId": "x" * 201}, {"agentId": "a\n"}, {"callId": "c" * 201}, {"data": []}, {"data": "text"},
    ],
)
async def test_a_top_level_that_makes_no_sense_is_refused(cw: Any, top: dict[str, Any]) -> None:
    answer = await cw.ask("POST", "/api/events", json={**BEAT, **top})
    assert answer.status == 400
    assert isinstance(answer.body["error"], str)


async def test_arguments_are_shown_redacted_and_cut(cw: Any) -> None:
    arguments = {"password": "hunter2hunter2", "text": "word " * 2000}
    await cw.say("a", "tool_call", toolName="exec", arguments=arguments, result="x" * 50_000)
    (event,) = (await cw.agent())["recentEvents"]
    assert "hunter2" not in str(event)
    assert len(event["data"]["arguments"]) <= 2000
    assert len(event["data"]["result"]) <= 2000


async def test_agents_say_more_of_themselves_than_the_contract_asks(cw: Any) -> None:
    await cw.say("a", kind="worker", group="night", labels={"os": "linux"}, capabilities=["judge"])
    agent = await cw.agent()
    assert (agent["kind"], agent["group"]) == ("worker", "night")
    assert (agent["labels"], agent["capabilities"]) == ({"os": "linux"}, ["judge"])


# -- lists of agents


async def test_agents_are_found_by_status_group_and_text(cw: Any) -> None:
    await cw.say("one", group="night", host="Atlas")
    await cw.say("two", "error", error="boom")
    for query, ids in (
        ("status=error", ["two"]), ("status=error,running", ["two", "one"]), ("group=night", ["one"]),
        ("q=ATLAS", ["one"]), ("q=nothing", []),
    ):
        agents = (await cw.get(f"/api/agents?{query}"))["agents"]
        assert sorted(agent["id"] for agent in agents) == sorted(ids), query
    assert (await cw.ask("GET", "/api/agents?status=odd")).status == 400


async def test_sessions_that_ended_a_day_ago_are_left_out_unless_asked_for(cw: Any) -> None:
    await cw.say("session", "status_change", status="stopped", kind="claude-code")
    await cw.say("worker", "status_change", status="stopped", kind="worker")
    cw.clock.advance(DAY + SECOND)
    assert [agent["id"] for agent in (await cw.get("/api/agents"))["agents"]] == ["worker"]
    assert len((await cw.get("/api/agents?all=1"))["agents"]) == 2


async def test_a_key_sees_the_agents_of_its_patterns_and_nothing_else(cw: Any) -> None:
    await cw.say("mine-1", "cost", costUsd=1)
    await cw.say("yours", "cost", costUsd=2)
    key = await cw.make_key("read", "control", agents=["mine-*"])
    assert [agent["id"] for agent in (await cw.get("/api/agents", key=key))["agents"]] == ["mine-1"]
    assert (await cw.get("/api/costs", key=key))["totalUsd"] == 1
    assert [event["agentId"] for event in (await cw.get("/api/events", key=key))["events"]] == ["mine-1"]
    for method, path in (("GET", "/api/agents/yours"), ("POST", "/api/agents/yours/pause")):
        assert (await cw.ask(method, path, key=key)).status == 404


async def test_a_removed_agent_is_gone(cw: Any) -> None:
    await cw.say()
    assert (await cw.ask("DELETE", "/api/agents/a")).status == 200
    assert (await cw.get("/api/agents"))["agents"] == []
    assert (await cw.ask("DELETE", "/api/agents/a")).status == 404


async def test_what_a_removed_agent_has_done_stays_and_it_comes_back_as_a_new_one(cw: Any) -> None:
    await cw.say("a", "cost", costUsd=2.5, sessionId="s")
    await cw.ask("DELETE", "/api/agents/a")
    await cw.say("a", "tool_call", toolName="Read")
    agent = await cw.agent("a")
    assert (agent["costUsd"], agent["errorCount"]) == (0, 0)
    assert [event["type"] for event in agent["recentEvents"]] == ["tool_call"]
    assert (await cw.get("/api/costs?agentId=a"))["totalUsd"] == 2.5
    assert [event["type"] for event in (await cw.get("/api/events?agentId=a"))["events"]] == ["tool_call", "cost"]


async def test_agents_beyond_the_limit_are_refused_with_the_remedy(run_cw: Any) -> None:
    async with run_cw(limits={"agents": 1}) as cw:
        await cw.say("one")
        answer = await cw.ask("POST", "/api/events", json=[{"agentId": name, "type": "heartbeat"} for name in "ab"])
        assert answer.status == 400
        assert "has 1 agents already; delete some with DELETE /api/agents/:id" in answer.body["error"]
        await cw.ask("DELETE", "/api/agents/one")
        await cw.say("two")


async def test_an_id_of_odd_characters_is_reached_by_its_escaped_form(cw: Any) -> None:
    odd = "ops/agent:1 <b>%20'\"*é"
    await cw.say(odd)
    escaped = "ops%2Fagent%3A1%20%3Cb%3E%2520'%22*%C3%A9"
    async with cw.session.get(
        URL(f"{cw.url}/api/agents/{escaped}", encoded=True), headers={"X-ClaWatch-Key": cw.key}
    ) as response:
        assert (response.status, (await response.json())["id"]) == (200, odd)


# -- commands


async def test_a_pause_goes_to_the_agent_with_its_next_event_and_comes_back_confirmed(cw: Any) -> None:
    await cw.say()
    agent = await cw.post("/api/agents/a/pause")
    assert agent["control"].items() >= {"kind": "cooperative", "enforcement": "advisory", "wanted": "paused"}.items()
    assert agent["control"]["command"].items() >= {"type": "pause", "state": "requested"}.items()
    assert agent["control"]["command"]["words"] == "asked to pause"

    (command,) = (await cw.say())["commands"]
    assert command["type"] == "pause"
    assert command.keys() == {"id", "type", "parameters", "requestedBy", "requestedAt", "expiresAt"}
    done = await cw.post(f"/api/commands/{command['id']}/result", {"state": "confirmed", "message": "resting"})
    assert (done["state"], done["message"]) == ("confirmed", "resting")
    agent = await cw.agent()
    assert (agent["status"], agent["control"]["command"]["words"]) == ("paused", "paused, confirmed")
    again = await cw.ask("POST", f"/api/commands/{command['id']}/result", json={"state": "failed"})
    assert again.status == 409
    assert (await cw.say())["commands"] == []


async def test_commands_wait_for_an_agent_that_waits_for_them(cw: Any) -> None:
    await cw.say()
    waiting = asyncio.create_task(cw.get("/api/agents/a/commands?wait=30"))
    await asyncio.sleep(0.05)  # the request gets under way; either order must work
    await cw.post("/api/agents/a/stop")
    assert [command["type"] for command in (await waiting)["commands"]] == ["stop"]
    assert (await cw.get("/api/agents/a/commands"))["commands"] == []


@pytest.mark.parametrize("wait", ["-1", "soon", "nan"])
async def test_a_wait_that_is_no_number_is_400(cw: Any, wait: str) -> None:
    assert (await cw.ask("GET", f"/api/agents/a/commands?wait={wait}")).status == 400


@pytest.mark.parametrize("body", [{}, {"state": "done"}, {"state": "delivered"}, {"state": 5}, [], "x"])
async def test_a_result_must_be_one_of_three(cw: Any, body: Any) -> None:
    assert (await cw.ask("POST", "/api/commands/cmd_x/result", json=body)).status == 400


async def test_an_unknown_command_is_404(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/commands/cmd_x/result", json={"state": "confirmed"})
    assert (answer.status, answer.body["error"]) == (404, "Command not found")


async def test_commands_are_listed_with_their_states(cw: Any) -> None:
    await cw.say()
    await cw.post("/api/agents/a/pause")
    cw.clock.advance(SECOND)
    await cw.post("/api/agents/a/resume")
    commands = (await cw.get("/api/commands?agentId=a"))["commands"]
    assert [(one["type"], one["state"]) for one in commands] == [("resume", "requested"), ("pause", "expired")]


@pytest.mark.parametrize(("verb", "status"), [("stop", "stopped"), ("start", "running"), ("restart", "running")])
async def test_the_other_verbs_give_the_agent_too(cw: Any, verb: str, status: str) -> None:
    await cw.say()
    assert (await cw.post(f"/api/agents/a/{verb}"))["status"] == status


# -- alerts and silences


async def test_an_alert_in_detail_has_its_evidence_and_who_acknowledged_it(cw: Any) -> None:
    alert = await cw.alert()
    assert "evidence" not in alert
    done = await cw.post(f"/api/alerts/{alert['id']}/acknowledge")
    detail = await cw.get(f"/api/alerts/{alert['id']}")
    assert detail == done["alert"]
    assert detail["evidence"]
    assert detail["acknowledgedBy"] == "ops"
    assert (await cw.post(f"/api/alerts/{alert['id']}/unacknowledge"))["alert"]["acknowledged"] is False


async def test_alerts_are_found_by_state_and_agent(cw: Any) -> None:
    await cw.alert("a")
    assert len(await cw.alerts(state="firing")) == 1
    assert await cw.alerts(state="resolved") == []
    assert await cw.alerts(agentId="b") == []


async def test_an_alert_is_silenced_for_a_while(cw: Any) -> None:
    alert = await cw.alert()
    answer = await cw.ask("POST", f"/api/alerts/{alert['id']}/silence", json={"duration": "2h", "reason": "deploy"})
    assert answer.status == 201
    assert answer.body["expiresAt"] == iso(cw.clock.now().wall + 2 * HOUR)
    assert [one["silencedUntil"] for one in await cw.alerts()] == [answer.body["expiresAt"]]
    assert (await cw.get("/api/silences"))["silences"] == [answer.body]
    assert (await cw.ask("DELETE", f"/api/silences/{answer.body['id']}")).status == 200
    assert [one["silencedUntil"] for one in await cw.alerts()] == [None]


async def test_an_alert_is_silenced_for_an_hour_when_nothing_is_said(cw: Any) -> None:
    alert = await cw.alert()
    answer = await cw.ask("POST", f"/api/alerts/{alert['id']}/silence")
    assert (answer.status, answer.body["expiresAt"]) == (201, iso(cw.clock.now().wall + HOUR))


async def test_a_silence_by_pattern(cw: Any) -> None:
    silence = {"duration": "30m", "agent": "night-*", "rule": "stuck", "severity": "critical"}
    answer = await cw.ask("POST", "/api/silences", json=silence)
    assert answer.status == 201
    assert (answer.body["agent"], answer.body["rule"], answer.body["severity"]) == ("night-*", "stuck", "critical")


@pytest.mark.parametrize(
    "body",
    [{}, {"duration": "long"}, {"duration": "0s"}, {"duration": "9999d"}, {"duration": 60},
     {"duration": "1h", "reason": 5}, {"duration": "1h", "severity": "odd"}, {"duration": "1h", "reason": "x" * 501}],
)
async def test_a_silence_that_makes_no_sense_is_400(cw: Any, body: dict[str, Any]) -> None:
    assert (await cw.ask("POST", "/api/silences", json=body)).status == 400


# -- costs over time


async def test_costs_over_time_by_model(cw: Any) -> None:
    await cw.say("a", "cost", costUsd=1, tokenCount=5, model="m1")
    cw.clock.advance(2 * HOUR)
    await cw.say("a", "cost", costUsd=2)
    series = await cw.get("/api/costs/series?by=model&step=1h")
    assert [(one["group"], one["costUsd"]) for one in series["points"] if one["costUsd"]] == [("m1", 1), ("unknown", 2)]
    assert series["stepSeconds"] == 3600


@pytest.mark.parametrize(
    "query", ["step=90s", "step=1s", "step=x", "by=odd", "step=1m&from=2020-01-01", "from=x", "from=2027-01-01"]
)
async def test_a_series_that_makes_no_sense_is_400(cw: Any, query: str) -> None:
    assert (await cw.ask("GET", f"/api/costs/series?{query}")).status == 400


async def test_an_unescaped_plus_in_a_bound_is_understood(cw: Any) -> None:
    await cw.get("/api/costs?from=2026-03-09T14:00:00+00:00")


# -- runs, events, keys, system


async def test_a_run_is_followed_to_its_end(cw: Any) -> None:
    await cw.say("a", "run", runId="r1", kind="task", status="running", progress=0.25, input={"q": "why"})
    await cw.say("a", "run", runId="r1", status="completed", progress=1, result="because")
    run = await cw.get("/api/runs/r1")
    assert (run["status"], run["progress"], run["input"], run["result"]) == ("completed", 1, {"q": "why"}, "because")
    assert [one["id"] for one in (await cw.get("/api/runs"))["runs"]] == ["r1"]


async def test_a_run_says_when_it_began_and_ended(cw: Any) -> None:
    await cw.say("a", "run", runId="r1", status="pending")
    waiting = await cw.get("/api/runs/r1")
    assert (waiting["startedAt"], waiting["endedAt"], waiting["requestedBy"]) == (None, None, "")
    cw.clock.advance(1000)
    await cw.say("a", "run", runId="r1", status="running")
    cw.clock.advance(2500)
    await cw.say("a", "run", runId="r1", status="failed", error="no disk")
    run = await cw.get("/api/runs/r1")
    assert parse_iso(run["startedAt"]) - parse_iso(run["createdAt"]) == 1000
    assert parse_iso(run["endedAt"]) - parse_iso(run["startedAt"]) == 2500


async def test_runs_are_found_by_kind_and_status(cw: Any) -> None:
    for number, (kind, status) in enumerate([("task", "running"), ("task", "failed"), ("inference", "running")]):
        data = {"runId": f"r{number}", "kind": kind, "status": status}
        await cw.post("/api/events", {"agentId": "a", "type": "run", "data": data})

    async def found(query: str) -> set[str]:
        return {run["id"] for run in (await cw.get(f"/api/runs?{query}"))["runs"]}

    assert await found("kind=task") == {"r0", "r1"}
    assert await found("status=running,pending") == {"r0", "r2"}
    assert await found("kind=inference&status=failed") == set()
    refused = await cw.ask("GET", "/api/runs?status=asleep")
    assert (refused.status, "running" in refused.body["error"]) == (400, True)


async def test_agents_may_use_the_same_run_id(cw: Any) -> None:
    for agent in ("squatter", "worker"):
        await cw.say(agent, "run", runId="nightly", status="running")
        cw.clock.advance(1)
    assert (await cw.get("/api/runs/nightly"))["agentId"] == "worker"
    assert (await cw.get("/api/runs/nightly?agentId=squatter"))["agentId"] == "squatter"
    assert [run["agentId"] for run in (await cw.get("/api/runs?agentId=worker"))["runs"]] == ["worker"]
    first = await cw.get("/api/runs", params={"limit": "1"})
    rest = await cw.get("/api/runs", params={"limit": "1", "cursor": first["next"]})
    assert [run["agentId"] for page in (first, rest) for run in page["runs"]] == ["worker", "squatter"]
    limited = await cw.make_key("read", agents=["squatter"])
    assert (await cw.get("/api/runs/nightly", key=limited))["agentId"] == "squatter"
    assert (await cw.ask("GET", "/api/runs/nightly?agentId=worker", key=limited)).status == 404


async def test_events_are_paged_by_cursor(cw: Any) -> None:
    await cw.post("/api/events", [{**BEAT, "data": {"n": n}} for n in range(5)])
    seen: list[int] = []
    path = "/api/events?limit=2"
    while True:
        page = await cw.get(path)
        seen += [event["data"]["n"] for event in page["events"]]
        if page["next"] is None:
            break
        path = f"/api/events?limit=2&cursor={page['next']}"
    assert seen == [4, 3, 2, 1, 0]


async def test_a_cursor_nobody_gave_out_is_400(cw: Any) -> None:
    assert (await cw.ask("GET", "/api/events?cursor=nonsense")).status == 400


async def test_a_key_is_made_shown_once_used_and_revoked(cw: Any) -> None:
    wanted = {"name": "phone", "scopes": ["read"], "agents": ["a"], "user": "olga", "expires": "1d"}
    made = (await cw.ask("POST", "/api/keys", json=wanted)).body
    assert made["key"].startswith("cw_")
    (shown,) = [key for key in (await cw.get("/api/keys"))["keys"] if key["name"] == "phone"]
    assert shown == {
        "name": "phone", "scopes": ["read"], "agents": ["a"], "user": "olga", "fixed": False,
        "createdAt": iso(cw.clock.now().wall), "expiresAt": iso(cw.clock.now().wall + DAY),
    }
    assert (await cw.ask("POST", "/api/keys", json=wanted)).status == 409
    assert (await cw.ask("GET", "/api/agents", key=made["key"])).status == 200
    assert (await cw.ask("DELETE", "/api/keys/phone")).status == 200
    assert (await cw.ask("GET", "/api/agents", key=made["key"])).status == 401
    assert (await cw.ask("DELETE", "/api/keys/phone")).status == 404
    assert (await cw.ask("DELETE", "/api/keys/ops")).status == 409


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]},
     {"name": "", "scopes": ["read"]}, {"name": "x", "scopes": ["read"], "agents": []},
     {"name": "x", "scopes": ["read"], "expires": "later"},
     {"name": "x" * 101, "scopes": ["read"]}, {"name": "../x", "scopes": ["read"]}],
)
async def test_a_key_that_makes_no_sense_is_400(cw: Any, body: dict[str, Any]) -> None:
    assert (await cw.ask("POST", "/api/keys", json=body)).status == 400


async def test_keys_are_the_administrators_who_gives_away_no_more_than_he_has(cw: Any) -> None:
    few = await cw.make_key("admin", agents=["mine-*"], name="few")
    wide = {"name": "wide", "scopes": ["read"], "agents": ["*"]}
    assert (await cw.ask("POST", "/api/keys", json=wide, key=few)).status == 403
    made = await cw.ask("POST", "/api/keys", json={"name": "own", "scopes": ["read"]}, key=few)
    assert made.status == 201
    assert (await cw.ask("GET", "/api/keys", key=made.body["key"])).status == 403


async def test_the_daemon_tells_how_it_is(cw: Any) -> None:
    await cw.say()
    system = await cw.get("/api/system")
    assert (system["status"], system["store"]["ok"], system["agents"]) == ("ok", True, 1)


async def test_an_unknown_notifier_cannot_be_tested(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/notifiers/nobody/test")
    assert answer.status == 404
    assert "nobody" in answer.body["error"]


async def test_the_interface_is_described_by_itself(cw: Any) -> None:
    document = await cw.get("/api/openapi.json")
    assert document["openapi"].startswith("3.")
    assert {"/api/events", "/api/agents/{id}/pause", "/api/costs"} <= document["paths"].keys()
    agent = document["components"]["schemas"]["AgentView"]["properties"]
    assert {"lastHeartbeat", "costUsd", "control"} <= agent.keys()


async def test_the_description_is_of_every_door_under_its_own_tag(cw: Any) -> None:
    paths = (await cw.get("/api/openapi.json"))["paths"]
    tags = {path: operation["tags"] for path, operations in paths.items() for operation in operations.values()}
    assert tags["/api/agents"] == ["clawatch"]
    assert (tags["/v1/logs"], tags["/hooks/claude-code"]) == (["otlp"], ["claude_code"])
    assert (tags["/health"], tags["/metrics"]) == (["health"], ["metrics"])
    assert not {"/", "/ws", "/login", "/agents/{id}"} & tags.keys()


@pytest.mark.parametrize("content_type", ["%%%", "text/plain; charset=x", "", "application/json; charset=utf-16"])
async def test_an_odd_content_type_does_not_matter(cw: Any, content_type: str) -> None:
    answer = await cw.ask("POST", "/api/events", data=json.dumps(BEAT), headers={"Content-Type": content_type})
    assert answer.status == 201
