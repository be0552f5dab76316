"""Replaying what real sessions sent gives exactly what the program itself said of them, once."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clawatch_plugins.claude_code.hooks import map_hook, read_hook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.apis.telemetry import LogRecord, SpanRecord
from clawatch.domain.agents import Status
from clawatch.domain.events import Event, Turn
from clawatch.domain.time import SECOND


@dataclass(frozen=True)
class Expected:
    tool_calls: int
    errors: int
    status: Status


SESSIONS = {
    "cc_httpjson_tool": Expected(tool_calls=1, errors=0, status=Status.IDLE),
    "cc_protobuf_toolfail": Expected(tool_calls=1, errors=1, status=Status.IDLE),
    "cc_httpjson_apierror": Expected(tool_calls=0, errors=1, status=Status.ERROR),
    "cc_cumulative_slow7s": Expected(tool_calls=1, errors=0, status=Status.IDLE),
    "cc_hooks_tool": Expected(tool_calls=1, errors=0, status=Status.STOPPED),
}
"""What ``claude.stdout`` does not say in so many words: ``num_turns`` less one is the calls of tools."""


def truth(samples: Path, folder: str) -> dict[str, Any]:
    return json.loads((samples / folder / "claude.stdout").read_text())


async def check(tools: SimpleNamespace, folder: str, order: list[Path]) -> None:
    world = tools.build()
    for file in order:
        await world.replay(file)
    said, expected, agent = truth(tools.samples, folder), SESSIONS[folder], world.only
    used = said["usage"]
    tokens = {
        "input": used["input_tokens"] + used["cache_read_input_tokens"] + used["cache_creation_input_tokens"],
        "output": used["output_tokens"],
        "cache_read": used["cache_read_input_tokens"],
        "cache_write": used["cache_creation_input_tokens"],
    }
    assert agent.id == f"claude-code:{said['session_id']}"
    assert agent.cost == round(said["total_cost_usd"] * 10**9)
    assert agent.tokens == tokens["input"] + tokens["output"]
    assert agent.unpriced_tokens == 0
    assert agent.tool_calls == said["num_turns"] - 1 == expected.tool_calls
    assert agent.error_count == expected.errors
    assert agent.turn is Turn.CLOSED
    assert agent.status is expected.status
    costs = await world.store.costs(None, None, ("*",))
    assert sum(line.cost for line in costs.lines) == agent.cost
    assert {line.model for line in costs.lines if line.tokens} <= set(said["modelUsage"])
    points = await world.store.series(0, world.clock.now().wall, 60 * SECOND, "", ("*",))
    assert {name: sum(getattr(point.measures, name) for point in points) for name in tokens} == tokens


@pytest.mark.parametrize("folder", SESSIONS)
async def test_a_replayed_session_costs_what_it_said(tools: SimpleNamespace, folder: str) -> None:
    await check(tools, folder, tools.files(folder))


@pytest.mark.parametrize("folder", SESSIONS)
async def test_a_session_told_twice_counts_once(tools: SimpleNamespace, folder: str) -> None:
    await check(tools, folder, tools.files(folder) * 2)


@pytest.mark.parametrize("folder", ["cc_httpjson_tool", "cc_protobuf_toolfail", "cc_httpjson_apierror"])
async def test_requests_may_arrive_in_any_order(tools: SimpleNamespace, folder: str) -> None:
    for order in itertools.permutations(tools.files(folder)):
        await check(tools, folder, list(order))
        await check(tools, folder, [*order, *reversed(order)])


@pytest.mark.parametrize("folder", ["cc_cumulative_slow7s", "cc_hooks_tool"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_many_requests_may_arrive_in_any_order(tools: SimpleNamespace, folder: str, data: st.DataObject) -> None:
    order = data.draw(st.permutations(tools.files(folder)))
    asyncio.run(check(tools, folder, [*order, *data.draw(st.permutations(order))]))


@pytest.mark.parametrize("folder", [name for name in SESSIONS if name != "cc_httpjson_apierror"])
async def test_metrics_alone_tell_the_same_money(tools: SimpleNamespace, folder: str) -> None:
    for order in (1, -1):
        world = tools.build()
        for file in [file for file in tools.files(folder) if "_metrics" in file.name][::order]:
            await world.replay(file)
        assert world.only.cost == round(truth(tools.samples, folder)["total_cost_usd"] * 10**9)


async def test_spans_alone_tell_tokens_and_prices_do_the_rest(tools: SimpleNamespace) -> None:
    world = tools.build()
    await world.replay(next(file for file in tools.files("cc_protobuf_toolfail") if "_traces" in file.name))
    assert (world.only.cost, world.only.tool_calls, world.only.error_count) == (16_292_000, 1, 1)


async def test_while_the_model_hangs_a_session_is_alive_and_makes_no_progress(tools: SimpleNamespace) -> None:
    world = tools.build()
    at = 0
    for file in tools.files("cc_cumulative_slow7s")[:9]:
        at = round(json.loads(file.with_name(file.name.replace("body", "headers")).read_text())["t"] * 1000)
        world.clock.jump(at - world.clock.now().wall)
        await world.replay(file)
    agent = world.only
    assert (agent.status, agent.turn, agent.watches_progress) == (Status.RUNNING, Turn.OPEN, False)
    assert agent.last_seen == at
    assert at - agent.last_progress > 6 * SECOND


async def test_no_prompt_answer_argument_or_output_is_kept(tools: SimpleNamespace) -> None:
    world = tools.build()
    for file in tools.files("cc_hooks_tool"):
        await world.replay(file)
    kept = " ".join(str(entry.body) for entry in await world.store.read(0, 1000) if isinstance(entry.body, Event))
    for secret in ("say hello", "echo hello", "hello-from-tool", "All done", "/opt/ccwork"):
        assert secret not in kept


async def test_hooks_and_logs_of_one_call_are_one_event(tools: SimpleNamespace) -> None:
    world = tools.build()
    for file in tools.files("cc_hooks_tool"):
        await world.replay(file)
    entries = await world.store.read(0, 1000)
    calls = [e.body for e in entries if isinstance(e.body, Event) and e.body.type == "tool_call"]
    assert [(call.phase, call.call_id, call.source) for call in calls] == [
        ("start", "toolu_fake0001", "claude_code_hooks"),
        ("end", "toolu_fake0001", "claude_code_hooks"),
    ]


def _hook(name: str, session: str, at: int, **fields: Any) -> Event:
    event = map_hook(read_hook({"hook_event_name": name, "session_id": session, **fields}, None), at, Turn.OPEN)
    assert event is not None
    return event


@pytest.mark.parametrize("is_hook_first", [True, False])
async def test_a_failed_stop_and_its_api_error_are_one_error(tools: SimpleNamespace, is_hook_first: bool) -> None:
    world = tools.build()
    (logs,) = [file for file in tools.files("cc_httpjson_apierror") if "_logs" in file.name]
    stop = _hook(
        "StopFailure", "2b298881-3163-45d3-aa5a-232f0084a54a", 1795175366470,
        prompt_id="525b3bed-6d60-4bbf-86f4-a19c09ba763d", error="unknown",
    )
    if is_hook_first:
        await world.say(stop)
    await world.replay(logs)
    if not is_hook_first:
        await world.say(stop)
    assert (world.only.error_count, world.only.status, world.only.turn) == (1, Status.ERROR, Turn.CLOSED)


async def test_logs_replace_what_spans_have_told_of_a_session(tools: SimpleNamespace) -> None:
    """A request told by its span and its log costs what its log says, and the others are not lost for it."""
    world = tools.build()
    common = {"resource": {"service.name": "claude-code"}, "scope": "com.anthropic.claude_code.events"}
    told = {"session.id": "s1", "model": "nobody-prices-this", "input_tokens": 100, "output_tokens": 10}
    span = SpanRecord(
        name="claude_code.llm_request", started=1_000, at=2_000, trace_id="a" * 32, span_id="b" * 16,
        attributes={**told, "request_id": "r1"}, **common,
    )
    logs = [
        LogRecord(name="api_request", at=at, attributes=told | {"request_id": name, "cost_usd_micros": 500}, **common)
        for at, name in ((2_000, "r1"), (3_000, "r2"))
    ]
    for records in ([span], logs, [span]):
        await world.hear(records)
    assert (world.only.cost, world.only.tokens, world.only.unpriced_tokens) == (1_000_000, 220, 0)
