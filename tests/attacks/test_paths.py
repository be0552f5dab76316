"""Tricks in paths: whatever is written there, it is an id or nothing; it leads to no file, no other agent, no other
route, and past no key."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

JSON = (("Content-Type", "application/json"),)
TARGETS = [
    "/assets/../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fconfig.yaml",
    "/assets//etc/passwd", "/assets/%2Fetc%2Fpasswd", "/assets/..%5c..%5cconfig.yaml", "/assets/index.html%00.js",
    "/../config.yaml", "/%2e%2e/config.yaml", "/data/clawatch.db", "/agents/../../data/clawatch.db",
    "/login/../config.yaml",
]
DETOURS = [
    "/api/agents/mine-1/../yours-1", "/api/agents/mine-1%2f..%2fyours-1", "/api/agents/mine-1/%2e%2e/yours-1",
    "/api/agents/./yours-1", "/api/agents//yours-1", "/api/agents/yours-1/", "/api/agents/yours-1%00mine-1",
    "/api/agents/yours-1?id=mine-1", "/api/agents/mine-1;/yours-1", "/api/agents/%79ours-1", "/api/agents/%2579ours-1",
    "//api/agents/yours-1", "/API/agents/yours-1", "/api/agents/YOURS-1", "/health/../api/agents/yours-1",
    "/login/..%2fapi/agents/yours-1", "http://127.0.0.1/api/agents/yours-1", "/api/events?agentId=yours-1",
]
ODD_IDS = ["..", ".", "a/b", "../../etc/passwd", "a%2fb", "a?b=c", "a#b", "a b", "a;b", "%00",
           "'; DROP TABLE agents; --", "a\\b", "~root", "con", "🦞", "*", "[a-z]*"]


@pytest.mark.parametrize("target", TARGETS)
async def test_no_path_leads_to_a_file(firing_range: Any, target: str) -> None:
    with_key, without = await both(firing_range, target)
    for hit in (with_key, without):
        assert hit.status in (200, 400, 401, 404), hit
        assert b"root:" not in hit.body and b"SQLite" not in hit.body and b"auth" not in hit.body.partition(b"<")[0]
    if with_key.status == 200:
        assert with_key.body.startswith(b"<!doctype html>")  # the dashboard's page, which looks at the address itself


@pytest.mark.parametrize("target", DETOURS)
async def test_no_way_round_leads_to_another_agent_or_past_the_key(firing_range: Any, target: str) -> None:
    shot, gun = firing_range.shot, firing_range.gun
    events = [
        {"agentId": agent, "type": "error", "data": {"error": f"secret of {agent}"}} for agent in ("mine-1", "yours-1")
    ]
    await gun.fire([shot("POST", "/api/events", JSON, json.dumps(events).encode())])
    wanted = {"name": "k", "scopes": ["read", "control"], "agents": ["mine-*"]}
    made = await gun.fire([shot("POST", "/api/keys", JSON, json.dumps(wanted).encode())])
    few = replace(gun, key=json.loads(made[0].body)["key"])
    for method in ("GET", "DELETE"):
        hits = [*await few.fire([shot(method, target)]), *await replace(gun, key="").fire([shot(method, target)])]
        for hit in hits:
            assert b"secret of yours-1" not in hit.body, hit
    left = await gun.fire([shot("GET", "/api/agents/yours-1")])
    assert left[0].status == 200


@pytest.mark.parametrize("agent_id", ODD_IDS)
async def test_an_id_that_looks_like_a_path_is_an_id(firing_range: Any, agent_id: str) -> None:
    shot, gun = firing_range.shot, firing_range.gun
    event = {"agentId": agent_id, "type": "error", "data": {"error": "boom"}}
    assert (await gun.fire([shot("POST", "/api/events", JSON, json.dumps(event).encode())]))[0].status == 201
    escaped = "".join(f"%{byte:02X}" for byte in agent_id.encode())
    found, paused, gone, again = await in_turn(
        gun, shot("GET", f"/api/agents/{escaped}"), shot("POST", f"/api/agents/{escaped}/pause"),
        shot("DELETE", f"/api/agents/{escaped}"), shot("GET", f"/api/agents/{escaped}"),
    )
    assert json.loads(found.body)["id"] == agent_id
    assert (json.loads(paused.body)["id"], json.loads(paused.body)["status"]) == (agent_id, "paused")
    assert (gone.status, again.status) == (200, 404)


async def in_turn(gun: Any, *shots: Any) -> list[Any]:
    return [(await gun.fire([one]))[0] for one in shots]


async def both(firing_range: Any, target: str) -> list[Any]:
    gun, shot = firing_range.gun, firing_range.shot("GET", target)
    with_key, without = await asyncio.gather(gun.fire([shot]), replace(gun, key="").fire([shot]))
    return [*with_key, *without]
