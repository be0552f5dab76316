"""The examples, run as they stand, against a stand-in of the model provider: what ClaWatch shows of them is right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from yarl import URL

from clawatch.testing.app import App

Run = Callable[[str], Awaitable[str]]

CALLS = 2
TOKENS = CALLS * (1_000 + 50)


async def _agents(app: App) -> list[dict[str, Any]]:
    async with ClientSession(headers={"X-ClaWatch-Key": app.key}) as session:
        async with session.get(f"{app.url}/api/agents") as answer:
            agents: list[dict[str, Any]] = (await answer.json())["agents"]
        return agents


async def _agent(app: App, agent_id: str) -> dict[str, Any]:
    async with (
        ClientSession(headers={"X-ClaWatch-Key": app.key}) as session,
        session.get(URL(f"{app.url}/api/agents/{quote(agent_id, safe='')}", encoded=True)) as answer,
    ):
        agent: dict[str, Any] = await answer.json()
        return agent


async def test_the_plain_example_reports_its_tools_and_costs(app: App, run: Run) -> None:
    await run("plain")
    [agent] = await _agents(app)
    assert (agent["id"], agent["status"]) == ("plain-example", "stopped")
    assert agent["tokenCount"] == 3 * 1_020
    assert agent["costUsd"] > 0
    shown = await _agent(app, "plain-example")
    assert [e["data"]["toolName"] for e in shown["recentEvents"] if e["type"] == "tool_call"] == ["search"] * 3


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("pydantic_ai_agent", "pydantic_ai"),
        ("langchain_agent", "openinference.instrumentation.langchain"),
        ("openai_agents", "openinference.instrumentation.openai_agents"),
    ],
)
async def test_a_frameworks_agent_is_seen_with_its_calls_tokens_cost_and_tools(
    app: App, run: Run, name: str, needs: str
) -> None:
    pytest.importorskip(needs, reason=f"needs {needs}; `pip install --group examples` installs it")
    assert "2102650" in (await run(name)).replace(",", "")
    [agent] = await _agents(app)
    assert agent["name"].endswith("-example")
    assert agent["tokenCount"] == TOKENS
    # gpt-5-mini: 0.25 USD a million tokens of input, 0.025 cached, 2.00 of output
    assert agent["costUsd"] == pytest.approx(CALLS * (800 * 0.25 + 200 * 0.025 + 50 * 2.0) / 1e6)
    assert agent["errorCount"] == 0
    shown = await _agent(app, agent["id"])
    tools = [event["data"]["toolName"] for event in shown["recentEvents"] if event["type"] == "tool_call"]
    assert tools == ["population"]
    assert "Paris" not in str(shown), "prompts and arguments are not stored"
