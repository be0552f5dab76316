"""A call counts once, for the agent whose it is, however and in whatever order it is told."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clawatch.domain.agents import Status
from clawatch.domain.events import Turn

MODEL = "gpt-4o-mini"
CALL = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": MODEL, "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 400,
}  # fmt: skip
COST = 600 * 150 + 400 * 75 + 100 * 600
"""Nano-dollars: 0.15, 0.075 and 0.60 dollars per million."""
RUN = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer"}
TOOL = {
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search",
    "gen_ai.tool.call.arguments": '{"q": "secret plan"}', "gen_ai.tool.call.result": "classified",
}


def service(tools: SimpleNamespace, *found: dict[str, Any], **told: Any) -> list[dict[str, Any]]:
    return tools.spans(list(found), "some.instrumentation", service_name="svc", service_instance_id="one", **told)


async def test_a_step_that_comes_before_its_run_moves_to_the_agent_when_the_run_comes(
    watcher: Any, tools: SimpleNamespace
) -> None:
    await watcher.otlp("traces", service(tools, tools.span("chat", "c", CALL, parent="b")))
    first = watcher.agents()["svc/one"]
    assert (first.cost, first.tokens, first.turn) == (COST, 1100, Turn.CLOSED)
    await watcher.otlp("traces", service(tools, tools.span("search", "d", TOOL, parent="b", error="no")))
    await watcher.otlp("traces", service(tools, tools.span("what nobody knows", "b", {"x": 1}, parent="a")))
    await watcher.otlp("traces", service(tools, tools.span("invoke_agent writer", "a", RUN)))
    process, writer = watcher.agents()["svc/one"], watcher.agents()["svc/writer"]
    assert (process.cost, process.tokens, process.tool_calls, process.error_count) == (0, 0, 0, 0)
    assert (writer.cost, writer.tokens, writer.tool_calls, writer.error_count) == (COST, 1100, 1, 1)
    assert (writer.turn, writer.status) == (Turn.CLOSED, Status.IDLE)
    events = (await watcher.get("/api/events"))["events"]
    assert {event["agentId"] for event in events} == {"svc/writer"}


async def test_a_run_s_requests_may_come_in_any_order_and_twice_over(tools: SimpleNamespace) -> None:
    requests = [
        service(tools, tools.span("chat", "c", CALL, parent="a")),
        service(tools, tools.span("search", "d", TOOL, parent="a")),
        service(tools, tools.span("invoke_agent writer", "a", RUN)),
    ]
    for order in permutations(requests):
        async with tools.watching() as watcher:
            for request in (*order, *order):
                assert await watcher.otlp("traces", request) == 200
            writer = watcher.agents()["svc/writer"]
            assert (writer.cost, writer.tool_calls) == (COST, 1)
            assert sum(agent.cost for agent in watcher.agents().values()) == COST


async def test_a_restart_between_a_step_and_its_run_changes_no_sum(tools: SimpleNamespace, tmp_path: Path) -> None:
    """What was remembered is gone: a step that is sent again may then be its agent's at once."""
    child = service(tools, tools.span("chat", "c", CALL, parent="a"))
    run = service(tools, tools.span("invoke_agent writer", "a", RUN))
    config = {"storage": {"use": "sqlite"}}
    for number, (order, cut) in enumerate(product(product((child, run), repeat=3), (1, 2))):
        home = tmp_path / str(number)
        home.mkdir()
        for life in (order[:cut], order[cut:]):
            async with tools.watching(config, home) as watcher:
                for request in life:
                    assert await watcher.otlp("traces", request) == 200
                agents = watcher.agents().values()
        assert sum(agent.cost for agent in agents) == (COST if child in order else 0)
        assert sum(agent.tokens for agent in agents) == (1100 if child in order else 0)


async def test_a_step_belongs_to_its_nearest_agent(watcher: Any, tools: SimpleNamespace) -> None:
    other = {**RUN, "gen_ai.agent.name": "reader"}
    await watcher.otlp("traces", service(
        tools, tools.span("chat", "1", CALL, parent="b"), tools.span("invoke_agent reader", "b", other, parent="a"),
        tools.span("chat", "2", CALL, parent="a"), tools.span("invoke_agent writer", "a", RUN),
    ))
    assert {agent.id: agent.tokens for agent in watcher.agents().values()} == {"svc/reader": 1100, "svc/writer": 1100}


async def test_what_was_not_stored_is_not_remembered(watcher: Any, tools: SimpleNamespace) -> None:
    """Else who may not write for an agent could still have others' steps moved to it."""
    secret = await watcher.app.daemon.core.access.create_key("narrow", ["ingest"], ["other-*"], "eve", None)
    headers = {"X-ClaWatch-Key": secret, "Content-Type": "application/json"}
    evil = {**RUN, "gen_ai.agent.name": "evil"}
    run = {"resourceSpans": service(tools, tools.span("invoke_agent evil", "a", evil))}
    async with watcher.session.post("/v1/traces", json=run, headers=headers) as answer:
        assert answer.status == 403
    await watcher.otlp("traces", service(tools, tools.span("chat", "c", CALL, parent="a")))
    assert set(watcher.agents()) == {"svc/one"}


async def test_a_run_is_open_until_it_is_told_for_agents_that_tell_their_runs(
    watcher: Any, tools: SimpleNamespace
) -> None:
    named = {**CALL, "gen_ai.agent.name": "writer"}
    await watcher.otlp("traces", service(tools, tools.span("chat", "1", named, parent="a")))
    assert watcher.agents()["svc/writer"].turn is Turn.CLOSED
    await watcher.otlp("traces", service(tools, tools.span("invoke_agent writer", "a", RUN)))
    later = tools.after - 500
    await watcher.otlp("traces", service(tools, tools.span("chat", "2", named, parent="b", at=later)))
    assert (watcher.agents()["svc/writer"].turn, watcher.agents()["svc/writer"].status) == (Turn.OPEN, Status.RUNNING)
    await watcher.otlp("traces", service(tools, tools.span("invoke_agent writer", "b", RUN, at=later)))
    assert watcher.agents()["svc/writer"].turn is Turn.CLOSED


@pytest.mark.parametrize(
    ("told", "resource", "agent"),
    [
        ({"clawatch.agent.id": "mine", "gen_ai.agent.name": "writer"}, {}, "mine"),
        ({"gen_ai.agent.name": "writer"}, {"agent.name": "operator's"}, "svc/operator's"),
        ({"gen_ai.agent.name": "writer", "gen_ai.agent.id": "run-7"}, {"service.instance.id": "one"}, "svc/writer"),
        ({"session.id": "s"}, {"service.instance.id": "one"}, "svc/one"),
        ({"gen_ai.conversation.id": "s"}, {"host.name": "h"}, "svc/s"),
        ({}, {"host.name": "h"}, "svc@h"),
        ({"gen_ai.agent.name": "a\x1b[2Jb"}, {}, "svc/a?[2Jb~"),
    ],
)
async def test_whose_a_record_is(
    watcher: Any, tools: SimpleNamespace, told: dict[str, str], resource: dict[str, str], agent: str
) -> None:
    found = [tools.span("chat", "1", {**CALL, **told})]
    await watcher.otlp("traces", [{
        "resource": {"attributes": tools.attributes({"service.name": "svc", **resource})},
        "scopeSpans": [{"spans": found}],
    }])  # fmt: skip
    (seen,) = watcher.agents()
    assert seen.startswith(agent) if agent.endswith("~") else seen == agent


# -- metrics


def tokens(
    tools: SimpleNamespace, amount: float, at: int, started: int = 1, is_delta: bool = False, **told: Any
) -> list[dict[str, Any]]:
    """``gen_ai.client.token.usage`` of input tokens, as a histogram's sum."""
    point = {
        "startTimeUnixNano": str(started * 10**6), "timeUnixNano": str(at * 10**6), "sum": amount, "count": "1",
        "attributes": tools.attributes({"gen_ai.token.type": "input", "gen_ai.request.model": MODEL, **told}),
    }  # fmt: skip
    data = {"aggregationTemporality": 1 if is_delta else 2, "dataPoints": [point]}
    metric = {"name": "gen_ai.client.token.usage", "unit": "", "histogram": data}
    resource = tools.resource(service_name="svc", service_instance_id="one")
    return [{"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": [metric]}]}]


def counter(tools: SimpleNamespace, amount: int, at: int) -> list[dict[str, Any]]:
    """The newest generation's counter of the same."""
    point = {"startTimeUnixNano": "1", "timeUnixNano": str(at * 10**6), "asInt": str(amount), "attributes":
             tools.attributes({"gen_ai.request.model": MODEL})}  # fmt: skip
    data = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
    metric = {"name": "gen_ai.client.inference.usage.input_tokens", "sum": data}
    resource = tools.resource(service_name="svc", service_instance_id="one")
    return [{"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": [metric]}]}]


async def test_cumulative_sums_count_their_rise_begin_anew_and_are_priced(watcher: Any, tools: SimpleNamespace) -> None:
    now = tools.after
    for at, amount, started in ((5, 1000, 1), (6, 1000, 1), (7, 1500, 1), (8, 200, 7), (9, 300, 7)):
        assert await watcher.otlp("metrics", tokens(tools, amount, now - 100 + at, started)) == 200
    agent = watcher.agents()["svc/one"]
    assert (agent.tokens, agent.cost, agent.unpriced_tokens) == (1800, 1800 * 150, 0)
    assert (agent.turn, agent.status) == (Turn.CLOSED, Status.IDLE)


async def test_delta_sums_are_added_and_the_same_export_counts_once(watcher: Any, tools: SimpleNamespace) -> None:
    for at in (5, 5, 6):
        await watcher.otlp("metrics", tokens(tools, 300_000, tools.after - 100 + at, at, is_delta=True))
    agent = watcher.agents()["svc/one"]
    assert (agent.tokens, agent.cost) == (600_000, 600_000 * 150)


async def test_an_unchanged_series_is_a_sign_of_life_and_no_progress(watcher: Any, tools: SimpleNamespace) -> None:
    now = watcher.app.clock.now().wall
    await watcher.otlp("metrics", tokens(tools, 1000, now))
    watcher.app.clock.advance(60_000)
    await watcher.otlp("metrics", tokens(tools, 1000, now + 60_000))
    agent = watcher.agents()["svc/one"]
    assert agent.last_seen == now + 60_000
    assert agent.last_progress == 0
    assert agent.tokens == 1000


async def test_metrics_give_way_to_calls_that_are_told_one_by_one_in_any_order(tools: SimpleNamespace) -> None:
    requests = [
        ("metrics", tokens(tools, 1000, tools.after - 50)), ("metrics", counter(tools, 1000, tools.after - 50)),
        ("traces", service(tools, tools.span("chat", "1", CALL))),
    ]
    for order in permutations(requests):
        async with tools.watching() as watcher:
            for signal, request in (*order, *order):
                await watcher.otlp(signal, request)
            assert {agent.id: (agent.tokens, agent.cost) for agent in watcher.agents().values()} == {
                "svc/one": (1100, COST)
            }


async def test_both_generations_of_metrics_count_once(tools: SimpleNamespace) -> None:
    requests = [tokens(tools, 1000, tools.after - 50), counter(tools, 1000, tools.after - 50)]
    for order in permutations(requests):
        async with tools.watching() as watcher:
            for request in order:
                await watcher.otlp("metrics", request)
            assert watcher.agents()["svc/one"].tokens == 1000


async def test_a_process_s_metrics_give_way_to_its_named_agents_calls(tools: SimpleNamespace) -> None:
    calls = service(tools, tools.span("chat", "1", {**CALL, "gen_ai.agent.name": "writer"}))
    requests = [("metrics", tokens(tools, 1000, tools.after - 50)), ("traces", calls)]
    for order in permutations(requests):
        async with tools.watching() as watcher:
            for signal, request in (*order, *order):
                await watcher.otlp(signal, request)
            assert sum(agent.tokens for agent in watcher.agents().values()) == 1100
    async with tools.watching() as watcher:
        await watcher.otlp("traces", calls)
        assert set(watcher.agents()) == {"svc/writer"}


# -- logs


async def test_a_call_told_by_its_span_and_its_log_is_one_report(tools: SimpleNamespace) -> None:
    told = {**CALL, "event.name": "gen_ai.client.inference.operation.details"}
    log = {"traceId": "a" * 32, "spanId": "1".rjust(16, "0"), "attributes": tools.attributes(told)}
    resource = tools.resource(service_name="svc", service_instance_id="one")
    requests = [
        ("logs", [{"resource": resource, "scopeLogs": [{"logRecords": [log]}]}]),
        ("traces", service(tools, tools.span("chat", "1", CALL))),
    ]
    for order in permutations(requests):
        async with tools.watching() as watcher:
            for signal, request in order:
                await watcher.otlp(signal, request)
            assert watcher.agents()["svc/one"].tokens == 1100
            assert len((await watcher.get("/api/events"))["events"]) == 1


# -- prices and content


async def test_an_unknown_model_is_unpriced_until_the_configuration_prices_it(tools: SimpleNamespace) -> None:
    call = {**CALL, "gen_ai.request.model": "home-made"}
    async with tools.watching() as watcher:
        await watcher.otlp("traces", service(tools, tools.span("chat", "1", call)))
        agent = watcher.agents()["svc/one"]
        assert (agent.cost, agent.unpriced_tokens) == (0, 1100)
        assert (await watcher.get("/api/costs"))["unpricedTokens"] == 1100
    prices = {"home-made": {"input": 1.0, "output": 2.0, "cache_read": 0.5}}
    async with tools.watching({"prices": prices}) as watcher:
        await watcher.otlp("traces", service(tools, tools.span("chat", "1", call)))
        agent = watcher.agents()["svc/one"]
        assert (agent.cost, agent.unpriced_tokens) == (600 * 1000 + 400 * 500 + 100 * 2000, 0)


async def test_content_is_kept_only_where_it_is_asked_for(tools: SimpleNamespace) -> None:
    call = {**CALL, "gen_ai.input.messages": "what people say", "gen_ai.output.messages": "what models say"}
    request = service(tools, tools.span("chat", "1", call), tools.span("search", "2", TOOL))
    words = ("what people say", "what models say", "secret plan", "classified")
    for config, is_kept in (({}, False), ({"apis": {"otlp": {"content": True}}}, True)):
        async with tools.watching(config) as watcher:
            await watcher.otlp("traces", request)
            kept = str([entry.body for entry in await watcher.app.daemon.store.read(0, 100)])
            assert [word in kept for word in words] == [is_kept] * 4
            assert "args_hash='" in kept


async def test_codex_s_internal_spans_store_nothing(watcher: Any, tools: SimpleNamespace) -> None:
    traces, metrics, _ = tools.bodies("codex_httpjson_tool")
    await watcher.replay(metrics)
    assert await watcher.stored() == 0
    await watcher.replay(traces)
    assert await watcher.stored() == 3  # two answers and the turn's end, of 510


async def test_numbers_come_as_text_values_are_null_and_names_are_missing(watcher: Any, tools: SimpleNamespace) -> None:
    told = {**CALL, "gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": None, "x": None}
    odd = {"name": None, "attributes": [*tools.attributes(told), {"key": "y"}, {"value": {"stringValue": "z"}}]}
    assert await watcher.otlp("traces", [{"resource": None, "scopeSpans": [{"spans": [odd, {}]}, {}]}, {}]) == 200
    (agent,) = watcher.agents().values()
    assert (agent.id, agent.tokens) == ("unknown_service", 1000)
