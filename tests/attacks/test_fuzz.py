"""Every parser under fire: broken, cut, swollen and absurd forms of real bodies, against a whole daemon.

Whatever comes, no answer is a 5xx, nothing is logged as an error, memory stays, what is refused changes no sum, and
honest clients are served afterwards. Routes without a line in ``SEEDS`` are found by the router and get plain bodies;
a door that has bodies of its own adds them there (and the messages of its sockets in ``test_socket_fuzz``).
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SAMPLES = Path(__file__).parent.parent / "samples" / "claude_code"
IN_CI, AT_NIGHT = 10_000, 100_000
ROUND = 1_000
"""Bodies between two looks at what they have done."""
MB = 1024 * 1024
MOST_GROWTH = 60 * MB
JSON = (("Content-Type", "application/json"),)
LINES = (("Content-Type", "application/x-ndjson"),)
PROTOBUF = (("Content-Type", "application/x-protobuf"),)

HEARTBEAT = {"agentId": "a", "agentName": "Ann", "host": "h", "timestamp": "2026-03-09T14:00:00Z", "type": "heartbeat",
             "data": {"status": "running", "message": "m", "progress": True}}
CALL = {"agentId": "a", "type": "tool_call", "id": "e1", "sessionId": "s", "callId": "c", "phase": "end",
        "data": {"toolName": "bash", "arguments": {"command": ["ls", {"deep": [1, 2.5, None]}]}, "result": "r",
                 "ok": False, "blocked": True, "durationMs": 12.5}}
COST = {"agentId": "b", "type": "cost", "kind": "python", "group": "g", "labels": {"k": "v"}, "capabilities": ["x"],
        "data": {"costUsd": 0.25, "tokenCount": 30, "model": "gpt-4o", "inputTokens": 20, "outputTokens": 10,
                 "cacheReadTokens": 5, "cacheWriteTokens": 1}}
ERROR = {"agentId": "a", "type": "error", "data": {"error": "boom", "message": "it broke"}}
STATUS = {"agentId": "a", "type": "status_change", "data": {"status": "idle"}}
RUN = {"agentId": "a", "type": "run", "data": {"runId": "r", "kind": "task", "status": "running", "stage": "s",
                                               "progress": 0.5, "input": {"x": 1}, "result": [], "error": None,
                                               "parentRunId": "p"}}
ENTITY = {"agentId": "a", "type": "entity", "data": {"op": "created", "entityId": "e", "entityType": "t",
                                                     "label": "l", "properties": {"p": 1}}}
RELATION = {"agentId": "a", "type": "entity", "data": {"op": "updated", "relationshipId": "r", "sourceId": "s",
                                                       "targetId": "t", "relationshipType": "k", "strength": 0.5}}
GAUGES = {"agentId": "a", "type": "metrics", "data": {"cpu_percent": 1.5, "memory_mb": 12, "messages_1h": 3}}
EVENTS = [HEARTBEAT, CALL, COST, ERROR, STATUS, RUN, ENTITY, RELATION, GAUGES]

RECORDING = [
    {"kind": "recording", "node_id": "5e55a3d2-7f0b-4c0e-9d5f-1f0d2b3c4d5e", "keyframe_interval": 10, "metrics": ["m"],
     "segments": ["s"], "regions": ["r"], "started_at": "2026-01-09T12:00:00Z", "tick_seconds": 60},
    {"kind": "agent", "agent_id": "a", "persona_id": "p", "persona_name": "Ann", "segment": "s", "region": "r",
     "initial_state": {"x": 0.5}, "key_influences": [{"type": "media", "impact": 0.2}]},
    {"kind": "tick", "tick": 0, "metrics": {"m": 0.5}, "by_segment": {"m": {"s": 1}}, "by_region": {"m": {"r": None}},
     "world_state": {"x": {"deep": [1, 2.5, None]}}},
    {"kind": "step", "tick": 7, "agent_id": "a", "state": {"x": 0.7, "y": "z"}, "action": "adopted", "reasoning": "r"},
    {"kind": "event", "id": "e", "tick": 3, "type": "t", "affected_agents": 5, "variable_changes": {"x": 0.1},
     "impact_score": 0.08},
    {"kind": "end", "aggregates": {"peak_tick": 0}},
]


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


def hooks() -> list[bytes]:
    files = sorted(SAMPLES.glob("*/hooks/*.json"))
    return [packed(json.loads(file.read_text())["body"]) for file in files]


def telemetry(signal: str) -> list[tuple[Any, bytes]]:
    """Bodies that Claude Code has sent, as it sent them; of many alike a few."""
    files = [*SAMPLES.glob(f"*/otlp/*_{signal}.body.pb"), *sorted(SAMPLES.glob(f"*/otlp/*_{signal}.body.json"))[:4]]
    return [(PROTOBUF if file.suffix == ".pb" else JSON, file.read_bytes()) for file in files]


Seeds = list[tuple[Any, bytes]]
"""Headers and body of requests that a route is made for."""
SEEDS: dict[tuple[str, str], Seeds] = {
    ("POST", "/api/events"): [
        *((JSON, packed(event)) for event in EVENTS),
        (JSON, packed(EVENTS)),
        (LINES, b"\n".join(map(packed, EVENTS))),
    ],
    ("POST", "/hooks/claude-code"): [(JSON, body) for body in hooks()],
    **{
        ("POST", f"{prefix}/v1/{signal}"): telemetry(signal)
        for prefix in ("", "/{prefix:.*}") for signal in ("logs", "metrics", "traces")
    },
    ("POST", "/api/silences"): [
        (JSON, packed({"duration": "1h", "reason": "r", "agent": "a*", "rule": "stuck", "severity": "critical"})),
        (JSON, packed({"duration": "90s", "alertId": "{alert}"})),
    ],
    ("POST", "/api/alerts/{id}/silence"): [(JSON, packed({"duration": "1h", "reason": "later"}))],
    ("POST", "/api/commands/{id}/result"): [
        (JSON, packed({"state": "confirmed", "message": "done", "data": {"exit": 0}})),
    ],
    ("POST", "/api/keys"): [
        (JSON, packed({"name": "k", "scopes": ["read", "ingest"], "agents": ["a*"], "user": "u", "expires": "30d"})),
    ],
    ("POST", "/api/recordings"): [(LINES, b"\n".join(map(packed, RECORDING))), (LINES, packed(RECORDING[0]))],
    ("POST", "/api/recordings/{id}/frames"): [(LINES, b"\n".join(map(packed, RECORDING[1:])))],
    ("POST", "/api/recordings/{id}/complete"): [(JSON, packed({"aggregates": {"peak_tick": 95}}))],
    ("POST", "/api/v1/tasks"): [
        (JSON, packed({"agentType": "commerce", "prompt": "p", "parameters": {"a": [1]}, "useRoundTable": True})),
        (JSON, packed({"agent_type": "creative", "prompt": "p", "use_round_table": False})),
    ],
    ("POST", "/api/v1/agents/{agent_type}/execute"): [(JSON, packed({"prompt": "p", "parameters": {"x": 1}}))],
    ("POST", "/api/v1/round-table/compete"): [
        (JSON, packed({"prompt": "p", "task_id": "t", "providers": ["a", "b"]})),
    ],
    ("POST", "/api/auth/login"): [(JSON, packed({"code": "x" * 43}))],
}
PATHS = ["a", "{alert}", "{command}", "{recording}", "commerce", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a%00b",
         "%ff%fe", "a" * 300, "%F0%9F%A6%9E", "a%0d%0aX-Evil:%201", "%252e%252e", "*", "a%2Fb", "'%20OR%201=1--",
         "%ED%A0%80", "-", "%3Cscript%3E"]
QUERIES = ("2026-03-09T14:00:00Z", "1", "2", "a", "model", "agent", "hour", "1h", "firing", "error,cost")


class Arsenal:
    """Shots at every route there is."""

    def __init__(self, firing_range: Any, names: dict[str, str], mutator: Any) -> None:
        self._shot = firing_range.shot
        self._rng = mutator.rng
        self._names = names
        self._mutator = mutator
        routes = firing_range.routes
        all_of_them = [one for one in routes.values() if not one.is_socket and not one.path.startswith("/assets")]
        self._asking = [one for one in all_of_them if one.method == "GET"]
        self._telling = [one for one in all_of_them if one.method != "GET"]
        self._telling += [one for one in self._telling if (one.method, one.path) in SEEDS] * 4
        self._bodies = [body for seeds in SEEDS.values() for _, body in seeds]

    def shots(self, number: int) -> list[Any]:
        """So many with bodies, and a quarter as many questions."""
        telling = [self._telling_one(self._rng.choice(self._telling)) for _ in range(number)]
        asking = [self._asking_one(self._rng.choice(self._asking)) for _ in range(number // 4)]
        shots = telling + asking
        self._rng.shuffle(shots)
        return shots

    def _asking_one(self, route: Any) -> Any:
        return self._shot(route.method, self._path(route) + self._query(route))

    def _telling_one(self, route: Any) -> Any:
        kind, body = self._rng.choice(SEEDS.get((route.method, route.path)) or [(JSON, b"{}")])
        body = re.sub(rb"\{(alert|command)\}", lambda m: self._names[m[1].decode()].encode(), body)
        headers, body = self._mutator.shelled(self._mutator.mutate(body, self._rng.choice(self._bodies)), kind)
        if self._rng.random() < 0.02:
            headers = (*headers, ("X-ClaWatch-Spool", self._rng.choice(("1", "\xff", "x" * 999))))
        return self._shot(route.method, self._path(route) + self._query(route), headers, body)

    def _path(self, route: Any) -> str:
        def fill(match: re.Match[str]) -> str:
            chosen = self._rng.choice(PATHS if self._rng.random() < 0.3 else PATHS[:5])
            return chosen.format(**self._names) if chosen.startswith("{") else chosen

        return re.sub(r"\{\w+(?::[^{}]*)?\}", fill, route.path) if "{" in route.path else route.path

    def _query(self, route: Any) -> str:
        names = [param.name for param in route.params if param.where == "query"]
        if not names or self._rng.random() < (0.2 if route.method == "GET" else 0.9):
            return ""
        chosen = self._rng.sample(names, self._rng.randrange(1, len(names) + 1))
        return "?" + "&".join(f"{name}={self._value(name)}" for name in chosen)

    def _value(self, name: str) -> str:
        if name == "wait":
            return self._rng.choice(("0", "-1", "nan", "1e-9", "x", "", "%00"))  # "inf" is granted: a minute
        if self._rng.random() < 0.3:
            return self._rng.choice(PATHS[5:])
        value = self._rng.choice((*self._mutator.hostile, *QUERIES, self._names["cursor"]))
        # A line of more than 8 KB is not read at all, nor is what came right before it.
        return quote(str(value)[:100].encode("utf-8", "surrogatepass"))


def bang(shot: Any) -> str:
    """A shot such that one can fire it again."""
    return f"{shot.method} {shot.path} {dict(shot.headers)} {base64.b64encode(shot.body[:20_000]).decode()}"


@pytest.mark.parametrize(
    "number", [IN_CI, pytest.param(AT_NIGHT, marks=pytest.mark.nightly)], ids=["some", "many"]
)
async def test_no_body_query_or_path_breaks_the_daemon_or_counts_when_it_is_refused(
    firing_range: Any, names: dict[str, str], mutator_of: Any, seed_of: Any, resident: Any, number: int
) -> None:
    seed = seed_of(number == IN_CI)
    arsenal = Arsenal(firing_range, names, mutator_of(seed))
    statuses: Counter[int] = Counter()
    sizes: list[int] = []
    for _ in range(number // ROUND):
        hits = await firing_range.gun.fire(arsenal.shots(ROUND))
        statuses.update(hit.status for hit in hits)
        bad = [f"{hit.status} {bang(hit.shot)}" for hit in hits if hit.status >= 500 or hit.status == 0]
        assert not bad, (seed, bad[0], len(bad))
        assert not firing_range.failures, (seed, firing_range.failures[0])
        await refused_again(firing_range, [hit.shot for hit in hits if hit.status in (400, 413, 415, 422)], seed)
        sizes.append(resident())
    print(f"seed {seed}: {dict(statuses)}, grown by {(sizes[-1] - sizes[1]) / MB:.1f} MB")
    assert statuses[201] and statuses[200] and statuses[400] > number / 5
    assert sizes[-1] - sizes[1] < MOST_GROWTH
    await firing_range.serves()


async def refused_again(firing_range: Any, shots: list[Any], seed: int) -> None:
    """The same ones once more, all together: refused again, and nothing is other than before."""
    before = await firing_range.sums()
    hits = await firing_range.gun.fire(shots)
    taken = [f"{hit.status} {bang(hit.shot)}" for hit in hits if hit.status < 400]
    assert not taken, (seed, taken[0])
    assert await firing_range.sums() == before, seed


# -- what hypothesis thinks of

TEXTS = st.text(max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(sorted({*HEARTBEAT, *CALL, *COST, "extra"}))
DATA = st.dictionaries(st.sampled_from(sorted({key for one in EVENTS for key in one["data"]})) | TEXTS, VALUES)
ITEMS = st.dictionaries(KEYS, VALUES).flatmap(
    lambda more: st.fixed_dictionaries(
        {"agentId": st.sampled_from(["a", "b"]) | TEXTS, "type": st.sampled_from([e["type"] for e in EVENTS]),
         "data": DATA}
    ).map(lambda item: {**item, **more})
)
HOOKS = st.fixed_dictionaries({
    "hook_event_name": st.sampled_from(["PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "SessionEnd"]) | TEXTS,
    "session_id": TEXTS, "tool_name": VALUES, "tool_input": VALUES, "prompt": VALUES,
})
BODIES = st.tuples(st.just("/api/events"), ITEMS | st.lists(ITEMS, max_size=4) | VALUES) | st.tuples(
    st.sampled_from(["/hooks/claude-code", "/hooks/claude-code?agent=a"]), HOOKS | VALUES
) | st.tuples(st.sampled_from(["/v1/logs", "/v1/metrics", "/v1/traces", "/api/silences", "/api/keys"]), VALUES)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BODIES, min_size=20, max_size=40))
async def test_whatever_json_there_can_be_is_taken_or_refused(firing_range: Any, bodies: list[tuple[str, Any]]) -> None:
    shots = [firing_range.shot("POST", path, JSON, packed(value)) for path, value in bodies]
    for hit in await firing_range.gun.fire(shots):
        assert 200 <= hit.status < 500, bang(hit.shot)
    assert not firing_range.failures
