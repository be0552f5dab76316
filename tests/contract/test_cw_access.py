"""The ClaWatch contract: who gets in, from where, and what must not come out."""

from __future__ import annotations

from typing import Any

import pytest

EVENT = {"agentId": "a", "type": "heartbeat"}
PAGE = "https://dash.example.com"
SECRET = "ghp_" + "Ab3" * 12


async def test_cw_34_a_collector_without_a_key_is_refused_by_default(cw: Any) -> None:
    answer = await cw.ask("POST", "/api/events", key=None, json=EVENT)
    assert (answer.status, answer.body) == (401, {"error": "Invalid or missing API key"})


async def test_cw_34_a_collector_without_a_key_works_where_loopback_may_ingest(run_cw: Any) -> None:
    async with run_cw(auth=loopback("ingest")) as cw:
        assert (await cw.ask("POST", "/api/events", key=None, json=EVENT)).status == 201
        assert (await cw.agent("a"))["owner"] == "loopback"


async def test_cw_34_the_grant_is_for_its_scopes_only(run_cw: Any) -> None:
    async with run_cw(auth=loopback("ingest")) as cw:
        assert (await cw.ask("GET", "/api/agents", key=None)).status == 403
        assert (await cw.ask("POST", "/api/agents/a/pause", key=None)).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.5"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=203.0.113.5"},
        {"Via": "1.1 proxy"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"X-ClaWatch-Key": "wrong"},
    ],
    ids=str,
)
async def test_cw_34_what_came_through_a_proxy_or_from_a_page_has_no_grant(
    run_cw: Any, headers: dict[str, str]
) -> None:
    async with run_cw(auth=loopback("ingest")) as cw:
        assert (await cw.ask("POST", "/api/events", key=None, json=EVENT, headers=headers)).status == 401


async def test_cw_34_a_foreign_host_is_refused_before_anything_else(run_cw: Any) -> None:
    async with run_cw(auth=loopback("ingest")) as cw:
        answer = await cw.ask("POST", "/api/events", key=None, json=EVENT, headers={"Host": "rebound.example"})
        assert answer.status == 421
        assert set(answer.body) == {"error"}


async def test_cw_61_the_dashboards_origin_may_ask_and_send_its_headers(run_cw: Any) -> None:
    wanted = "x-clawatch-key, ngrok-skip-browser-warning, content-type"
    async with run_cw(server={"port": 0, "cors_origins": [PAGE]}) as cw:
        answer = await cw.ask("OPTIONS", "/api/agents/a/pause", key=None, headers={
            "Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted,
        })
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert answer.status in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert set(wanted.split(", ")) <= set(allowed)
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("path", "key", "status"), [("/api/agents", "", 200), ("/api/agents", None, 401),
                                                     ("/api/nothing", "", 404)])
async def test_cw_61_answers_and_refusals_can_be_read_by_the_dashboard(
    run_cw: Any, path: str, key: str | None, status: int
) -> None:
    async with run_cw(server={"port": 0, "cors_origins": [PAGE]}) as cw:
        answer = await cw.ask("GET", path, key=key, headers={"Origin": PAGE})
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, PAGE)
        assert "Origin" in answer.headers["Vary"]


async def test_cw_61_no_other_origin_is_let_in(run_cw: Any) -> None:
    async with run_cw(server={"port": 0, "cors_origins": [PAGE]}) as cw:
        answer = await cw.ask("GET", "/api/agents", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        assert (await cw.ask("OPTIONS", "/api/agents", key=None, headers=asked)).status == 403


async def test_an_administrator_of_some_agents_neither_sees_nor_revokes_the_keys_of_others(cw: Any) -> None:
    few = await cw.make_key("admin", agents=["mine-*"], name="few")
    await cw.make_key("read", name="wide")
    await cw.make_key("read", agents=["mine-*"], name="own")
    assert [key["name"] for key in (await cw.get("/api/keys", key=few))["keys"]] == ["few", "own"]
    assert (await cw.ask("DELETE", "/api/keys/wide", key=few)).status == 404
    assert (await cw.ask("DELETE", "/api/keys/own", key=few)).status == 200
    assert [key["name"] for key in (await cw.get("/api/keys"))["keys"]] == ["few", "ops", "wide"]


async def test_an_administrator_of_some_agents_makes_keys_of_its_own_user_only(cw: Any) -> None:
    few = await cw.make_key("admin", agents=["mine-*"], name="few")

    async def make(name: str, **wanted: str) -> Any:
        return await cw.ask("POST", "/api/keys", key=few, json={"name": name, "scopes": ["ingest"], **wanted})

    assert (await make("a", user="ops")).status == 403
    assert (await make("b")).status == (await make("c", user="few")).status == 201
    users = {key["name"]: key["user"] for key in (await cw.get("/api/keys"))["keys"]}
    assert (users["b"], users["c"]) == ("few", "few")
    assert (await cw.ask("POST", "/api/keys", json={"name": "d", "scopes": ["read"], "user": "olga"})).status == 201


async def test_a_key_makes_none_that_outlives_it(cw: Any) -> None:
    wanted = {"name": "guest", "scopes": ["admin"], "expires": "1d"}
    guest = (await cw.ask("POST", "/api/keys", json=wanted)).body["key"]

    async def make(name: str, **wanted: str) -> int:
        asked = {"name": name, "scopes": ["read"], **wanted}
        return int((await cw.ask("POST", "/api/keys", key=guest, json=asked)).status)

    assert [await make("a", expires="2d"), await make("b", expires="1h"), await make("c")] == [403, 201, 201]
    expires = {key["name"]: key["expiresAt"] for key in (await cw.get("/api/keys"))["keys"]}
    assert expires["c"] == expires["guest"] > expires["b"]
    token = (await cw.post("/api/auth/token", key=guest))["access_token"]
    asked = {"name": "d", "scopes": ["read"], "expires": "2d"}
    answer = await cw.ask("POST", "/api/keys", key=None, json=asked, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 403


async def test_a_group_that_a_limited_key_claims_chooses_no_rules(run_cw: Any) -> None:
    lenient = [{"match": "night", "rules": {"error_spike": {"more_than": 99}}}]
    async with run_cw(agents=lenient) as cw:
        limited = await cw.make_key("ingest", agents=["mine"])
        event = {"agentId": "mine", "type": "error", "group": "night", "data": {"error": "boom"}}
        for _ in range(4):
            await cw.ask("POST", "/api/events", key=limited, json=event)
            await cw.say("theirs", "error", group="night", error="boom")
        await cw.settle()
        assert [alert["agentId"] for alert in await cw.alerts()] == ["mine"]
        assert (await cw.agent("mine"))["group"] == "night", "it is shown all the same"


async def test_a_secret_is_not_told_on_whoever_said_it(cw: Any) -> None:
    await cw.say("a", "run", runId=SECRET, kind=SECRET, status="running", stage=SECRET)
    await cw.say("a", agentName=f"x {SECRET}", host=SECRET, labels={"k": SECRET}, sessionId=SECRET, id=SECRET)
    command = (await cw.post("/api/agents/a/pause"))["control"]["command"]["id"]
    await cw.post(f"/api/commands/{command}/result", {"state": "failed", "message": SECRET, "data": {"x": SECRET}})
    await cw.post("/api/silences", {"duration": "1h", "agent": "a", "reason": SECRET})
    for path in ("/api/agents", "/api/agents/a", "/api/events", "/api/runs", "/api/commands", "/api/silences"):
        assert SECRET not in str(await cw.get(path)), path


def loopback(*scopes: str) -> dict[str, Any]:
    key = "cw_" + "k" * 43
    return {"loopback": list(scopes), "keys": [{"name": "ops", "key": key, "scopes": ["admin"]}]}
