"""The round table: competitions among connected agents, and how their providers do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

PROVIDERS = ("claude", "gpt", "gemini", "llama", "mistral", "qwen")


async def test_a_competition_answers_with_its_winner_and_all_entries_ranked(ds: Any, competition: Any) -> None:
    """DS-44, DS-45"""
    entrants, judge = await ds.table()
    done = await competition(ds, entrants, judge, task_id="task-abc123", providers=None)
    assert (done["task_id"], done["prompt_preview"], done["status"]) == ("task-abc123", "sell roses", "completed")
    assert [entry["provider"] for entry in done["entries"]] == ["mistral", "qwen", "llama", "gemini", "gpt", "claude"]
    assert [entry["rank"] for entry in done["entries"]] == [1, 2, 3, 4, 5, 6]
    winner = done["winner"]
    assert winner == done["entries"][0]
    assert winner["scores"] == {
        "total": 5.0, "relevance": 5.0, "quality": 5.0, "completeness": 5.0, "efficiency": 5.0, "brand_alignment": 5.0,
    }  # fmt: skip
    assert (winner["cost_usd"], winner["response_preview"]) == (0.01, "mistral says: roses")
    assert winner["latency_ms"] >= 0
    assert (done["ab_test_reasoning"], done["ab_test_confidence"]) == ("more scent", 0.9)
    assert done["total_cost_usd"] == pytest.approx(0.06)
    assert done["total_duration_ms"] >= 0
    assert await ds.get(f"/api/v1/round-table/{done['id']}") == done
    assert await ds.get("/api/v1/round-table/latest") == done


async def test_history_is_listed_newest_first_in_parts(ds: Any, competition: Any) -> None:
    """DS-42, DS-43"""
    entrants, judge = await ds.table()
    made = []
    for _ in range(3):
        ds.cw.clock.advance(1000)
        made.append(await competition(ds, entrants[:2], judge, winner="gpt", providers=["claude", "gpt"]))
    listed = await ds.get("/api/v1/round-table", params={"limit": "2", "offset": "1"})
    assert [one["id"] for one in listed] == [made[1]["id"], made[0]["id"]]
    assert listed[0] == {
        "id": made[1]["id"], "prompt_preview": "sell roses", "status": "completed", "winner_provider": "gpt",
        "winner_score": 2.0, "total_cost_usd": pytest.approx(0.02), "created_at": made[1]["created_at"],
    }  # fmt: skip
    assert (await ds.ask("GET", "/api/v1/round-table/none")).status == 404
    assert (await ds.ask("GET", "/api/v1/round-table?limit=0")).status == 422
    assert (await ds.ask("GET", "/api/v1/round-table?offset=-1")).status == 422


async def test_statistics_are_per_provider_and_routed_before_ids(ds: Any, competition: Any) -> None:
    """DS-47, DS-48"""
    assert await ds.get("/api/v1/round-table/stats") == []
    assert await ds.get("/api/v1/round-table/providers") == []
    assert await ds.get("/api/v1/round-table/latest") is None
    entrants, judge = await ds.table()
    for winner in ("gpt", "gpt", "claude"):
        await competition(ds, entrants[:2], judge, winner=winner, providers=["claude", "gpt"])
    stats = {one["provider"]: one for one in await ds.get("/api/v1/round-table/stats")}
    assert set(stats) == {"claude", "gpt"}
    gpt = stats["gpt"]
    assert (gpt["total_competitions"], gpt["wins"], gpt["win_rate"], gpt["avg_score"]) == (3, 2, 0.6667, 2.0)
    assert gpt["total_cost_usd"] == pytest.approx(0.03)
    assert gpt["avg_latency_ms"] >= 0
    providers = {one["name"]: one for one in await ds.get("/api/v1/round-table/providers")}
    assert set(providers) == set(PROVIDERS)
    assert all(provider["enabled"] for provider in providers.values())
    assert providers["gpt"] == {
        "name": "gpt", "display_name": "llm-gpt", "enabled": True, "avg_latency_ms": gpt["avg_latency_ms"],
        "win_rate": 0.6667, "total_competitions": 3,
    }  # fmt: skip
    assert providers["qwen"]["win_rate"] is None
    await ds.cw.post("/api/agents/llm-qwen/stop")
    assert not next(p for p in await ds.get("/api/v1/round-table/providers") if p["name"] == "qwen")["enabled"]


async def test_nobody_connected_is_a_conflict(ds: Any) -> None:
    """DS-44: who is missing is said."""
    answer = await ds.ask("POST", "/api/v1/round-table/compete", json={"prompt": "x"})
    assert (answer.status, "entrant" in answer.body["detail"]) == (409, True)
    await ds.worker("llm", "llm-gpt", "entrant", provider="gpt")
    answer = await ds.ask("POST", "/api/v1/round-table/compete", json={"prompt": "x"})
    assert (answer.status, "judge" in answer.body["detail"]) == (409, True)
    await ds.worker("judge", "judge-1", "judge")
    answer = await ds.ask("POST", "/api/v1/round-table/compete", json={"prompt": "x", "providers": ["nobody"]})
    assert (answer.status, answer.body["detail"]) == (409, "not connected: nobody; connected are gpt")


@pytest.mark.parametrize("body", [
    {}, {"prompt": ""}, {"prompt": "x" * 10_001}, {"prompt": 1}, {"prompt": "x", "providers": "gpt"},
    {"prompt": "x", "providers": []}, {"prompt": "x", "providers": [""]}, {"prompt": "x", "providers": ["a"] * 30},
    {"prompt": "x", "task_id": "a\nb"},
])  # fmt: skip
async def test_what_is_no_competition_is_refused(ds: Any, body: Any) -> None:
    """DS-44, DS-46"""
    assert (await ds.ask("POST", "/api/v1/round-table/compete", json=body)).status == 422


async def test_one_that_fails_says_why(ds: Any) -> None:
    """DS-44: the answer is a refusal, the channel has an error, the history does not list it."""
    worker = await ds.worker("llm", "llm-gpt", "entrant", provider="gpt")
    await ds.worker("judge", "judge-1", "judge")
    listener = await ds.ready("round_table")
    asking = asyncio.create_task(ds.ask("POST", "/api/v1/round-table/compete", json={"prompt": "sell roses"}))
    await worker.answer(await worker.take(), state="failed", message="no key")
    answer = await asking
    assert (answer.status, "no entrant has answered: no key" in answer.body["detail"]) == (502, True)
    assert "no key" in (await listener.hear(type="error"))["message"]
    assert await ds.get("/api/v1/round-table") == []
    [failed] = await ds.get("/api/v1/round-table", params={"status": "failed"})
    assert (await ds.get(f"/api/v1/round-table/{failed['id']}"))["failed_entries"] == [
        {"provider": "gpt", "error": "no key"}
    ]


async def test_a_competition_goes_on_over_a_restart(run_ds: Any) -> None:
    """DS-45, X-10: who waits for it is told to come again."""
    async with run_ds(storage={"use": "sqlite"}) as ds:
        worker = await ds.worker("llm", "llm-gpt", "entrant", provider="gpt")
        await ds.worker("judge", "judge-1", "judge")
        asking = asyncio.create_task(_compete(f"{ds.cw.url}/api/v1/round-table/compete", ds.cw.key))
        await worker.answer(await worker.take(), "buy roses")
        run_id = (await ds.eventually(lambda: _running(ds)))["id"]
    status, body = await asking
    assert (status, run_id in body["detail"]) == (503, True)
    async with run_ds(storage={"use": "sqlite"}) as ds:
        judge = await ds.worker("judge", "judge-1", "judge")
        await judge.answer(await judge.take(), {"scores": {"gpt": {"quality": 9}}})
        done = await ds.eventually(lambda: ds.get("/api/v1/round-table/latest"))
    assert (done["id"], done["winner"]["provider"], done["winner"]["response"]) == (run_id, "gpt", "buy roses")


async def _compete(url: str, key: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    async with ClientSession() as session, session.post(url, json={"prompt": "sell roses"}, headers=headers) as answer:
        return answer.status, await answer.json()


async def _running(ds: Any) -> Any:
    found = await ds.get("/api/v1/round-table", params={"status": "running"})
    return found[0] if found else None
