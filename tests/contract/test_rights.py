"""Who may do what: every route the server has, with every kind of key, asked for somebody else's agent.

The routes are those that the running server registers, whichever door or plugin brought them: a new one fails here
until it has its line in ``TRIALS``, ``OPEN`` or ``SOCKETS``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Scope
from clawatch.web.gate import Gate

YOURS = "yours-1"
KEY_NAME = "key-of-theirs"
NODE = "5e55a3d2-7f0b-4c0e-9d5f-1f0d2b3c4d5e"
HEADER = {"kind": "recording", "node_id": NODE}
TELEMETRY = "/api/v1/telemetry/{node_id}"
EVENT = {"agentId": YOURS, "type": "error", "data": {"error": "forged"}}
HOOK = {"hook_event_name": "UserPromptSubmit", "session_id": "s1", "prompt": "forged"}
NOWHERE = frozenset({403, 404})
"""A foreign thing is forbidden, or as good as not there."""


ATTRIBUTES = [
    {"key": key, "value": {"stringValue": value}}
    for key, value in {"session.id": "s1", "clawatch.agent.id": YOURS, "event.name": "user_prompt"}.items()
]
POINT = {"timeUnixNano": "1", "asInt": "1", "attributes": ATTRIBUTES}


def otlp(kind: str, scoped: str, records: dict[str, Any]) -> dict[str, Any]:
    client = {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]}
    return {kind: [{"resource": client, scoped: [records]}]}


LOGS = otlp("resourceLogs", "scopeLogs", {"logRecords": [{"timeUnixNano": "1", "attributes": ATTRIBUTES}]})
METRICS = otlp("resourceMetrics", "scopeMetrics", {"metrics": [{"name": "sessions", "sum": {"dataPoints": [POINT]}}]})
TRACES = otlp("resourceSpans", "scopeSpans", {"spans": [{"endTimeUnixNano": "1", "attributes": ATTRIBUTES}]})


@dataclass(frozen=True)
class Trial:
    """A request for what is yours. ``ask`` is its path, with the names of what there is in braces."""

    ask: str
    body: Any = None
    refused: frozenset[int] = NOWHERE
    """What a key for ``mine-*`` is answered."""
    granted: frozenset[int] = frozenset({200, 201})
    """What a key for everything is answered."""
    headers: dict[str, str] = field(default_factory=dict)


def filtered(ask: str) -> Trial:
    """A list: answered, but without what is yours."""
    return Trial(ask, refused=frozenset({200}))


JSON = {"Content-Type": "application/json"}
TRIALS: dict[tuple[str, str], Trial] = {
    ("GET", "/api/agents"): filtered("/api/agents?all=1"),
    ("GET", "/api/agents/{id}"): Trial("/api/agents/{agent}"),
    ("DELETE", "/api/agents/{id}"): Trial("/api/agents/{agent}"),
    **{
        ("POST", f"/api/agents/{{id}}/{verb}"): Trial(f"/api/agents/{{agent}}/{verb}")
        for verb in ("pause", "resume", "stop", "start", "restart")
    },
    ("GET", "/api/agents/{id}/commands"): Trial("/api/agents/{agent}/commands"),
    ("GET", "/api/agents/{id}/latency"): Trial("/api/agents/{agent}/latency"),
    ("POST", "/api/events"): Trial("/api/events", EVENT),
    ("GET", "/api/events"): filtered("/api/events?limit=1"),
    ("GET", "/api/alerts"): filtered("/api/alerts?limit=1"),
    ("GET", "/api/alerts/{id}"): Trial("/api/alerts/{alert}"),
    ("POST", "/api/alerts/{id}/acknowledge"): Trial("/api/alerts/{alert}/acknowledge"),
    ("POST", "/api/alerts/{id}/unacknowledge"): Trial("/api/alerts/{alert}/unacknowledge"),
    ("POST", "/api/alerts/{id}/silence"): Trial("/api/alerts/{alert}/silence", {}),
    ("GET", "/api/silences"): filtered("/api/silences"),
    ("POST", "/api/silences"): Trial("/api/silences", {"duration": "1h", "agent": "*"}),
    ("DELETE", "/api/silences/{id}"): Trial("/api/silences/{silence}"),
    ("GET", "/api/commands"): filtered("/api/commands?limit=1"),
    ("POST", "/api/commands/{id}/result"): Trial("/api/commands/{command}/result", {"state": "confirmed"}),
    ("GET", "/api/runs"): filtered("/api/runs?limit=1"),
    ("GET", "/api/runs/{id}"): Trial("/api/runs/{run}"),
    ("GET", "/api/costs"): filtered("/api/costs?agentId={agent}"),
    ("GET", "/api/costs/series"): filtered("/api/costs/series?by=agent&agentId={agent}"),
    ("GET", "/api/keys"): filtered("/api/keys"),
    ("POST", "/api/keys"): Trial("/api/keys", {"name": "more", "scopes": ["read"], "agents": [YOURS]}),
    ("DELETE", "/api/keys/{name}"): Trial("/api/keys/{key}"),
    ("GET", "/api/system"): filtered("/api/system"),
    ("GET", "/api/config"): filtered("/api/config"),
    ("GET", "/api/rules"): filtered("/api/rules"),
    ("GET", "/api/openapi.json"): filtered("/api/openapi.json"),
    ("GET", "/metrics"): filtered("/metrics"),
    ("POST", "/api/notifiers/{name}/test"): Trial("/api/notifiers/nobody/test", granted=frozenset({404})),
    ("GET", "/api/recordings"): filtered("/api/recordings"),
    ("POST", "/api/recordings"): Trial("/api/recordings", HEADER),
    ("GET", "/api/recordings/{id}"): Trial("/api/recordings/{recording}"),
    ("GET", "/api/recordings/{id}/agents"): Trial("/api/recordings/{recording}/agents"),
    ("DELETE", "/api/recordings/{id}"): Trial("/api/recordings/{recording}", granted=frozenset({204})),
    ("POST", "/api/recordings/{id}/frames"): Trial(
        "/api/recordings/{recording_begun}/frames", {"kind": "tick", "tick": 9}, headers={"X-Start-Line": "3"}
    ),
    ("POST", "/api/recordings/{id}/complete"): Trial("/api/recordings/{recording_begun}/complete", {}),
    **{
        ("GET", TELEMETRY + path): Trial(f"/api/v1/telemetry/{{node}}{asked}")
        for path, asked in (
            ("", ""), ("/slice", "/slice"), ("/keyframe/{tick}", "/keyframe/0"),
            ("/agent/{agent_id}", "/agent/{agent}"), ("/events", "/events"), ("/stream", "/stream"),
            ("/aggregates", "/aggregates"),
        )
    },
    ("GET", "/telemetry/metrics/{agent_id}"): Trial("/telemetry/metrics/{agent}"),
    ("POST", "/hooks/claude-code"): Trial("/hooks/claude-code?agent={agent}", HOOK),
    **{
        ("POST", f"{prefix}/v1/{signal}"): Trial(f"{path}/v1/{signal}", body, headers=JSON)
        for prefix, path in (("", ""), ("/{prefix:.*}", "/any/where"))
        for signal, body in (("logs", LOGS), ("metrics", METRICS), ("traces", TRACES))
    },
}
TRIALS |= {
    ("GET", "/api/v1/agents"): filtered("/api/v1/agents"),
    ("GET", "/api/v1/agents/{agent_type}"): Trial("/api/v1/agents/{agent}"),
    **{
        ("POST", f"/api/v1/agents/{{agent_type}}/{verb}"): Trial(
            f"/api/v1/agents/{{agent}}/{verb}", body, granted=frozenset({granted})
        )
        for verb, body, granted in (
            ("start", None, 200), ("stop", None, 200),
            ("learn", None, 409), ("execute", {"task": "forged"}, 409),  # yours is paused
        )
    },
    ("GET", "/api/v1/tasks"): filtered("/api/v1/tasks?limit=1"),
    ("POST", "/api/v1/tasks"): Trial("/api/v1/tasks", {"agentType": "forger", "prompt": "forged"}),
    ("GET", "/api/v1/tasks/{task_id}"): Trial("/api/v1/tasks/{run}"),
    ("POST", "/api/v1/tasks/{task_id}/cancel"): Trial("/api/v1/tasks/{run}/cancel"),
    ("GET", "/api/v1/round-table"): filtered("/api/v1/round-table?limit=1"),
    ("GET", "/api/v1/round-table/stats"): filtered("/api/v1/round-table/stats"),
    ("GET", "/api/v1/round-table/providers"): filtered("/api/v1/round-table/providers"),
    ("GET", "/api/v1/round-table/latest"): filtered("/api/v1/round-table/latest"),
    ("GET", "/api/v1/round-table/{competition_id}"): Trial("/api/v1/round-table/{run}", granted=frozenset({404})),
    ("POST", "/api/v1/round-table/compete"): Trial(
        "/api/v1/round-table/compete", {"prompt": "forged"}, refused=frozenset({409}), granted=frozenset({409})
    ),
    ("GET", "/api/v1/monitoring/metrics"): filtered("/api/v1/monitoring/metrics"),
}
OPEN = {
    ("GET", "/"), ("GET", "/login"), ("GET", "/login.js"), ("GET", "/login.css"), ("POST", "/api/auth/login"),
    ("POST", "/api/auth/logout"), ("POST", "/api/auth/token"), ("GET", "/health"), ("GET", "/livez"),
    ("GET", "/readyz"), ("GET", "/health/ready"),
    ("GET", "/start.js"), ("GET", "/login.svg"), ("GET", "/assets/{name}"), ("GET", "/agents"),
    ("GET", "/agents/{id}"), ("GET", "/agents/{id:.+}"), ("GET", "/alerts"), ("GET", "/alerts/{id}"),
    ("GET", "/runs"), ("GET", "/runs/{id:.+}"), ("GET", "/recordings"), ("GET", "/recordings/{id}"),
    ("GET", "/costs"), ("GET", "/system"),
}
"""Pages, which hold no data, and health. Which pages there are depends on what was built."""
SOCKETS = {
    ("GET", "/ws"), ("GET", "/api/v1/ws"), ("GET", "/telemetry"), ("GET", "/api/ws/{channel}"),
    ("GET", "/ws/{channel}"),
}

Routes = dict[tuple[str, str], Route]


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Routes:
    """Every route that a server started by this test registers."""
    found: Routes = {}
    register = Gate.door

    def noting(gate: Gate, name: str, api: Api, route: Route) -> Any:
        found[route.method, route.path] = route
        return register(gate, name, api, route)

    monkeypatch.setattr(Gate, "door", noting)
    return found


@pytest.fixture
async def cw(routes: Routes, cw: Any) -> Any:
    return cw


@pytest.fixture
async def yours(cw: Any) -> dict[str, str]:
    """One of everything that belongs to an agent, by name."""
    await cw.say(YOURS, "cost", costUsd=1, model="gpt-4o")
    await cw.say(YOURS, "run", runId="run-of-yours", status="running", input="secret plans")
    alert = await cw.alert(YOURS)
    silence = await cw.post("/api/silences", {"duration": "1h", "agent": YOURS})
    for verb in ("stop", "pause"):
        await cw.post(f"/api/agents/{YOURS}/{verb}")
    commands = {one["type"]: one["id"] for one in (await cw.get("/api/commands"))["commands"]}
    await cw.make_key("read", agents=[YOURS], name=KEY_NAME)
    recordings = [
        await record(cw, HEADER, {"kind": "agent", "agent_id": YOURS, "persona_name": "secret plans"}, {"kind": "end"}),
        await record(cw, {**HEADER, "run_id": "2"}),
    ]
    await cw.post(f"/api/recordings/{recordings[1]}/frames", {"kind": "tick", "tick": 0}, headers={"X-Start-Line": "2"})
    return {
        "agent": YOURS, "alert": alert["id"], "silence": silence["id"], "command": commands["pause"],
        "superseded": commands["stop"], "run": "run-of-yours", "key": KEY_NAME,
        "recording": recordings[0], "recording_begun": recordings[1], "node": NODE,
    }


async def record(cw: Any, *lines: Any) -> str:
    body = "\n".join(map(json.dumps, lines))
    begun = await cw.ask("POST", "/api/recordings", data=body.encode())
    assert begun.status == 201, begun
    return str(begun.body["id"])


async def ask(cw: Any, at: tuple[str, str], yours: dict[str, str], key: str | None) -> Any:
    trial = TRIALS[at]
    return await cw.ask(at[0], trial.ask.format(**yours), json=trial.body, headers=trial.headers, key=key)


async def all_there_is(cw: Any) -> str:
    """What an administrator sees of everything that can be changed."""
    paths = (f"/api/agents/{YOURS}", "/api/alerts", "/api/commands", "/api/silences", "/api/runs", "/api/costs")
    found = [await cw.get(path) for path in (*paths, "/api/recordings")]
    keys = [key["name"] for key in (await cw.get("/api/keys"))["keys"]]
    return json.dumps([found, "more" in keys, KEY_NAME in keys])


def test_every_route_is_tried(cw: Any, routes: Routes) -> None:
    assert {at for at, route in routes.items() if route.is_socket} == SOCKETS
    assert {at for at, route in routes.items() if route.scope is None and not route.is_socket} <= OPEN
    assert set(routes) - OPEN == set(TRIALS) | SOCKETS


@pytest.mark.parametrize("at", TRIALS, ids=" ".join)
async def test_without_a_key_or_with_a_wrong_one_nothing_is_told(cw: Any, yours: dict[str, str], at: Any) -> None:
    before = await all_there_is(cw)
    for key in (None, "cw_" + "x" * 43):
        answer = await ask(cw, at, yours, key)
        assert answer.status == 401, answer
        assert not names_in(answer, yours)
    assert await all_there_is(cw) == before


@pytest.mark.parametrize("at", TRIALS, ids=" ".join)
async def test_a_key_needs_the_scope(cw: Any, routes: Routes, yours: dict[str, str], at: Any) -> None:
    others = [scope for scope in Scope if scope not in (routes[at].scope, Scope.ADMIN)]
    key = await cw.make_key(*others)
    before = await all_there_is(cw)
    answer = await ask(cw, at, yours, key)
    assert answer.status == 403, answer
    assert await all_there_is(cw) == before


@pytest.mark.parametrize("at", TRIALS, ids=" ".join)
@pytest.mark.parametrize("is_admin", [False, True], ids=["scoped", "admin"])
async def test_a_key_reaches_its_own_agents_only(
    cw: Any, routes: Routes, yours: dict[str, str], at: Any, is_admin: bool
) -> None:
    scope = Scope.ADMIN if is_admin else routes[at].scope
    key = await cw.make_key(scope, agents=["mine-*"], name="few")
    before = await all_there_is(cw)
    answer = await ask(cw, at, yours, key)
    assert answer.status in TRIALS[at].refused, answer
    said = TRIALS[at].ask.format(**yours) + json.dumps(TRIALS[at].body)
    assert not names_in(answer, {name: value for name, value in yours.items() if value not in said})
    assert "secret plans" not in str(answer.body)
    assert await all_there_is(cw) == before


@pytest.mark.parametrize("at", TRIALS, ids=" ".join)
async def test_the_same_request_is_granted_to_who_may(
    cw: Any, routes: Routes, yours: dict[str, str], at: Any
) -> None:
    key = await cw.make_key(routes[at].scope, name="all")
    answer = await ask(cw, at, yours, key)
    assert answer.status in TRIALS[at].granted, answer


@pytest.mark.parametrize("agents", [[], ["*"], [YOURS]])
async def test_the_live_stream_tells_a_reader_of_its_own_agents_only(
    cw: Any, yours: dict[str, str], agents: list[str]
) -> None:
    beginning = (await cw.get("/api/system"))["cursor"].rpartition(".")[0] + ".0"
    ws = await cw.connect(key=await cw.make_key("read", agents=["mine-*"]))
    await ws.send_json({"type": "subscribe", "agents": agents, "cursor": beginning})
    await cw.say("mine-1", "message", message="the last of all")
    told = ""
    while agents != [YOURS] and "the last of all" not in told:
        told += await ws.receive_str(timeout=5)
    await ws.send_json({"type": "ping"})
    while '"pong"' not in told:
        told += await ws.receive_str(timeout=5)
    assert not [value for value in yours.values() if f'"{value}"' in told]


async def test_the_live_stream_needs_the_scope_read(cw: Any) -> None:
    ws = await cw.connect(key=await cw.make_key("ingest", "control"))
    assert "lacks the scope read" in (await ws.receive_json(timeout=5))["error"]
    await ws.receive(timeout=5)
    assert ws.close_code == 1008


def names_in(answer: Any, yours: dict[str, str]) -> list[str]:
    """Which of your names an answer gives away."""
    return [value for value in yours.values() if value in json.dumps(answer.body)]

