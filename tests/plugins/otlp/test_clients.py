"""Clients of which there is no recording: what their documentation and source say that they send."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clawatch.domain.agents import Status
from clawatch.domain.events import Turn


def log(tools: SimpleNamespace, name: str, told: dict[str, Any], at: int) -> dict[str, Any]:
    return {"timeUnixNano": str(at * 10**6), "attributes": tools.attributes({"event.name": name, **told})}


def point(tools: SimpleNamespace, value: float, told: dict[str, Any], at: int) -> dict[str, Any]:
    return {
        "startTimeUnixNano": "1000000", "timeUnixNano": str(at * 10**6), "asDouble": value,
        "attributes": tools.attributes(told),
    }  # fmt: skip


def sums(name: str, *points: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": list(points)}}


# -- Gemini CLI

GEMINI = {"service.name": "gemini-cli", "service.version": "v20.20.2", "host.name": "h", "session.id": "g1"}


async def gemini(watcher: Any, tools: SimpleNamespace, *records: dict[str, Any]) -> Any:
    resource = {"attributes": tools.attributes(GEMINI)}
    scope = [{"scope": {"name": "gemini-cli"}, "logRecords": list(records)}]
    assert await watcher.otlp("logs", [{"resource": resource, "scopeLogs": scope}]) == 200
    return watcher.agents()["gemini-cli:g1"]


async def test_gemini_bills_thoughts_and_counts_an_answer_once(watcher: Any, tools: SimpleNamespace) -> None:
    now = tools.after - 1000
    answer = {
        "model": "gemini-2.5-pro", "status_code": 200, "duration_ms": 900, "input_token_count": 1000,
        "output_token_count": 50, "cached_content_token_count": 400, "thoughts_token_count": 150, "tool_token_count": 0,
        "total_token_count": 1200, "role": "main",
    }  # fmt: skip
    await gemini(watcher, tools, log(tools, "gemini_cli.config", {}, now))
    prompt = {"prompt_length": 5, "prompt": "hi"}
    agent = await gemini(watcher, tools, log(tools, "gemini_cli.user_prompt", prompt, now + 1))
    assert (agent.turn, agent.status, agent.kind) == (Turn.OPEN, Status.RUNNING, "gemini-cli")
    repeated = {**answer, "gen_ai.operation.name": "generate_content", "gen_ai.usage.input_tokens": 1000}
    agent = await gemini(
        watcher, tools, log(tools, "gemini_cli.api_response", answer, now + 2),
        log(tools, "gen_ai.client.inference.operation.details", repeated, now + 2),
    )
    assert (agent.tokens, agent.turn, agent.unpriced_tokens) == (1200, Turn.CLOSED, 0)
    assert agent.cost == 600 * 1250 + 400 * 125 + 200 * 10_000
    metric = sums("gemini_cli.token.usage", *(
        point(tools, value, {"type": kind, "model": "gemini-2.5-pro"}, now + 3)
        for kind, value in (("input", 1000), ("output", 50), ("thought", 150), ("cache", 400), ("tool", 0))
    ))
    resource = {"attributes": tools.attributes(GEMINI)}
    await watcher.otlp("metrics", [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}])
    assert watcher.agents()["gemini-cli:g1"].cost == agent.cost


async def test_gemini_s_tools_errors_and_loops(watcher: Any, tools: SimpleNamespace) -> None:
    now = tools.after - 1000
    call = {"function_name": "shell", "function_args": '{"a": 1}', "duration_ms": 5, "success": "false", "error": "no"}
    failure = {"model_name": "gemini-2.5-pro", "error.message": "quota", "status_code": 429, "duration": 10}
    agent = await gemini(
        watcher, tools, log(tools, "gemini_cli.tool_call", call, now),
        log(tools, "loop_detected", {"loop_type": "chanting_identical_sentences"}, now + 1),
        log(tools, "gemini_cli.api_error", failure, now + 2), log(tools, "gemini_cli.what_is_new", {}, now + 3),
    )
    assert (agent.tool_calls, agent.error_count, agent.status) == (1, 2, Status.ERROR)
    shown = [(event["type"], event["data"]) for event in (await watcher.get("/api/events"))["events"]]
    assert ("message", {"role": "client", "loopType": "chanting_identical_sentences"}) in shown


async def test_gemini_s_metrics_alone_tell_its_tokens(watcher: Any, tools: SimpleNamespace) -> None:
    metric = sums("gemini_cli.token.usage", *(
        point(tools, value, {"type": kind, "model": "gemini-2.5-pro"}, tools.after - 5)
        for kind, value in (("input", 1000), ("output", 50), ("thought", 150), ("cache", 400))
    ))
    resource = {"attributes": tools.attributes(GEMINI)}
    await watcher.otlp("metrics", [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}])
    agent = watcher.agents()["gemini-cli:g1"]
    assert (agent.tokens, agent.cost) == (1200, 600 * 1250 + 400 * 125 + 200 * 10_000)


# -- OpenClaw

OPENCLAW = {"service.name": "openclaw-gateway"}


async def openclaw(watcher: Any, tools: SimpleNamespace, *metrics: dict[str, Any]) -> None:
    scope = [{"scope": {"name": "openclaw"}, "metrics": list(metrics)}]
    resource = {"attributes": tools.attributes(OPENCLAW)}
    assert await watcher.otlp("metrics", [{"resource": resource, "scopeMetrics": scope}]) == 200


def told_tokens(tools: SimpleNamespace, at: int, factor: int = 1) -> list[dict[str, Any]]:
    common = {"openclaw.agent": "main", "openclaw.model": "claude-opus-5-5", "openclaw.provider": "anthropic"}
    amounts = {"input": 100, "output": 20, "cache_read": 300, "cache_write": 50, "prompt": 450, "total": 470}
    tokens = sums("openclaw.tokens", *(
        point(tools, value * factor, {**common, "openclaw.token": kind}, at) for kind, value in amounts.items()
    ))
    return [tokens, sums("openclaw.cost.usd", point(tools, 0.25 * factor, common, at))]


async def test_openclaw_s_metrics_count_once_though_they_overlap(watcher: Any, tools: SimpleNamespace) -> None:
    now = tools.after - 1000
    for at, factor in ((1, 1), (2, 1), (3, 2)):
        await openclaw(watcher, tools, *told_tokens(tools, now + at, factor))
    agent = watcher.agents()["openclaw:main"]
    assert (agent.tokens, agent.cost, agent.kind) == (940, 500_000_000, "openclaw")


async def test_openclaw_s_spans_tell_runs_and_tools_and_yield_to_metrics(
    watcher: Any, tools: SimpleNamespace
) -> None:
    usage = {
        "openclaw.model": "claude-opus-5-5", "openclaw.provider": "anthropic", "openclaw.tokens.input": 100,
        "openclaw.tokens.output": 20, "openclaw.tokens.cache_read": 300, "openclaw.tokens.cache_write": 50,
        "openclaw.agent": "main",
    }  # fmt: skip
    found = [
        tools.span("openclaw.model.usage", "1", usage, parent="f"),
        tools.span("openclaw.tool.execution", "2", {"openclaw.toolName": "exec", "openclaw.agent": "main",
                                                    "openclaw.errorCategory": "timeout"}, parent="f"),
        tools.span("openclaw.model.call", "3", {"openclaw.agent": "main", "openclaw.failureKind": "x"}, parent="f",
                   error="overloaded"),
        tools.span("openclaw.run", "f", {"openclaw.agent": "main", "openclaw.outcome": "completed"}),
        tools.span("openclaw.memory.pressure", "9", {}),
    ]  # fmt: skip
    for _ in range(2):
        await watcher.otlp("traces", tools.spans(found, "openclaw", service_name="openclaw-gateway"))
    agent = watcher.agents()["openclaw:main"]
    assert (agent.tokens, agent.tool_calls, agent.error_count, agent.turn) == (470, 1, 2, Turn.CLOSED)
    assert agent.cost > 0
    await openclaw(watcher, tools, *told_tokens(tools, tools.after - 10))
    agent = watcher.agents()["openclaw:main"]
    assert (agent.tokens, agent.cost) == (470, 250_000_000)


# -- opencode and the AI SDK


async def test_opencode_s_calls_count_once_and_its_internal_spans_not(watcher: Any, tools: SimpleNamespace) -> None:
    usage = {
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "ai.model.id": "gpt-4o-mini",
        "ai.model.provider": "openai.responses", "session.id": "ses_1", "ai.operationId": "x",
    }  # fmt: skip
    found = [
        tools.span("ai.streamText.doStream", "1", usage, parent="f"),
        tools.span("ai.toolCall", "2", {"ai.toolCall.name": "bash", "ai.toolCall.id": "c", "session.id": "ses_1"},
                   parent="f"),
        tools.span("ai.streamText", "f", usage), tools.span("Bus.publish", "3", {"a": 1}),
    ]  # fmt: skip
    await watcher.otlp("traces", tools.spans(found, "ai", service_name="opencode", service_instance_id="run"))
    agent = watcher.agents()["opencode:ses_1"]
    assert (agent.tokens, agent.tool_calls, agent.unpriced_tokens, agent.turn) == (1100, 1, 0, Turn.CLOSED)
    assert set(watcher.agents()) == {"opencode:ses_1"}


async def test_opencode_s_metrics_go_before_its_spans(watcher: Any, tools: SimpleNamespace) -> None:
    common = {"session.id": "ses_1", "model": "gpt-4o-mini"}
    metrics = [
        sums("opencode.token.usage", *(
            point(tools, value, {**common, "type": kind}, tools.after - 5)
            for kind, value in (("input", 600), ("output", 60), ("reasoning", 40), ("cacheRead", 400))
        )),
        sums("opencode.cost.usage", point(tools, 0.5, common, tools.after - 5)),
    ]
    resource = {"attributes": tools.attributes({"service.name": "opencode"})}
    await watcher.otlp("metrics", [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}])
    call = tools.span("ai.streamText.doStream", "1", {"ai.usage.inputTokens": 9, "session.id": "ses_1"})
    await watcher.otlp("traces", tools.spans([call], "ai", service_name="opencode"))
    agent = watcher.agents()["opencode:ses_1"]
    assert (agent.tokens, agent.cost) == (1100, 500_000_000)


# -- OpenLLMetry, new and old


async def test_openllmetry_names_agents_in_what_it_associates(watcher: Any, tools: SimpleNamespace) -> None:
    associated = {"traceloop.association.properties.lc_agent_name": "planner", "gen_ai.agent.id": "run-uuid"}
    found = [
        tools.span("ChatOpenAI.chat", "1", {
            **associated, "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cache_read_input_tokens": 400,
            "gen_ai.request.model": "gpt-4o-mini", "gen_ai.system": "openai",
        }, parent="e"),
        tools.span("execute_tool search", "2", {**associated, "traceloop.span.kind": "tool",
                                                "traceloop.entity.name": "search", "gen_ai.task.status": "failure"},
                   parent="e"),
        tools.span("execute_task model", "3", {**associated, "traceloop.span.kind": "task"}, parent="e"),
        tools.span("invoke_agent planner", "e", {"gen_ai.operation.name": "invoke_agent",
                                                 "gen_ai.agent.name": "planner"}, parent="f"),
        tools.span("invoke_agent planner", "f", {"gen_ai.operation.name": "invoke_agent",
                                                 "gen_ai.agent.name": "planner", "gen_ai.usage.input_tokens": 1000}),
    ]  # fmt: skip
    await watcher.otlp("traces", tools.spans(found, "opentelemetry.instrumentation.langchain", service_name="svc"))
    agent = watcher.agents()["svc/planner"]
    assert (agent.tokens, agent.tool_calls, agent.error_count) == (1100, 1, 1)
    assert agent.cost == 600 * 150 + 400 * 75 + 100 * 600
    assert set(watcher.agents()) == {"svc/planner"}


async def test_old_names_of_tokens_are_understood(watcher: Any, tools: SimpleNamespace) -> None:
    old = {
        "llm.request.type": "chat", "llm.usage.total_tokens": 30, "gen_ai.usage.prompt_tokens": 20,
        "gen_ai.usage.completion_tokens": 10, "gen_ai.request.model": "gpt-4o-mini", "llm.vendor": "OpenAI",
    }  # fmt: skip
    await watcher.otlp("traces", tools.spans([tools.span("openai.chat", "1", old)], "mine", service_name="svc"))
    assert watcher.agents()["svc"].tokens == 30


# -- OpenInference


async def test_totals_on_agents_spans_are_not_counted(watcher: Any, tools: SimpleNamespace) -> None:
    """As smolagents repeats them."""
    usage = {"llm.token_count.prompt": 1000, "llm.token_count.completion": 100, "llm.model_name": "gpt-4o-mini"}
    found = [
        tools.span("OpenAIModel.generate", "1", {**usage, "openinference.span.kind": "LLM"}, parent="2"),
        tools.span("Step 1", "2", {"openinference.span.kind": "CHAIN"}, parent="f"),
        tools.span("ToolCallingAgent.run", "f", {**usage, "openinference.span.kind": "AGENT"}),
    ]
    await watcher.otlp("traces", tools.spans(found, "openinference.instrumentation.smolagents", service_name="svc"))
    assert {agent.id: agent.tokens for agent in watcher.agents().values()} == {"svc/ToolCallingAgent": 1100}


# -- Codex by its spans alone


async def test_codex_s_answers_move_to_their_conversation_when_it_is_told(watcher: Any, tools: SimpleNamespace) -> None:
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.cache_read.input_tokens": 400,
             "gen_ai.usage.output_tokens": 50}  # fmt: skip
    first = [
        tools.span("handle_responses", "1", usage, parent="2"),
        tools.span("run_sampling_request", "2", {"model": "gpt-5.1"}, parent="f"),
    ]
    turn = tools.span("session_task.turn", "f", {"thread.id": "0" * 30 + "conv", "model": "gpt-5.1"})
    await watcher.otlp("traces", tools.spans(first, "codex_exec", service_name="codex_exec"))
    assert watcher.agents()["codex_exec"].tokens == 1050
    await watcher.otlp("traces", tools.spans([turn], "codex_exec", service_name="codex_exec"))
    agents = watcher.agents()
    assert (agents["codex_exec"].tokens, agents["codex_exec"].cost) == (0, 0)
    agent = agents[f"codex:{'0' * 30}conv"]
    assert (agent.tokens, agent.cost, agent.turn) == (1050, 600 * 1250 + 400 * 125 + 50 * 10_000, Turn.CLOSED)
    usage_logged = {"event.kind": "response.completed", "input_token_count": "1000", "output_token_count": "50",
                    "cached_token_count": 400, "conversation.id": "0" * 30 + "conv", "model": "gpt-5.1"}  # fmt: skip
    records = [log(tools, "codex.sse_event", usage_logged, tools.after - 900)]
    resource = {"attributes": tools.attributes({"service.name": "codex_exec"})}
    await watcher.otlp("logs", [{"resource": resource, "scopeLogs": [{"scope": {"name": "x"}, "logRecords": records}]}])
    assert watcher.agents()[agent.id].tokens == 1050


async def test_codex_s_refused_requests_are_errors(watcher: Any, tools: SimpleNamespace) -> None:
    common = {"conversation.id": "conversation-1", "model": "gpt-5.1"}
    records = [
        log(tools, "codex.user_prompt", {**common, "prompt_length": "3", "prompt": "abc"}, tools.after - 900),
        log(tools, "codex.tool_decision", {**common, "tool_name": "sh", "call_id": "c", "decision": "denied"},
            tools.after - 800),
        log(tools, "codex.api_request", {**common, "http.response.status_code": 429, "attempt": 1}, tools.after - 700),
    ]  # fmt: skip
    resource = {"attributes": tools.attributes({"service.name": "codex_cli_rs"})}
    await watcher.otlp("logs", [{"resource": resource, "scopeLogs": [{"logRecords": records}]}])
    agent = watcher.agents()["codex:conversation-1"]
    assert (agent.error_count, agent.status, agent.turn) == (1, Status.ERROR, Turn.OPEN)


# -- a stranger's


async def test_the_documented_vocabulary_works_as_a_stranger_s_plugin(tools: SimpleNamespace, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text()
    (code,) = re.findall(r'```python\n("""my_tracer\.py.*?)```', page, re.DOTALL)
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "my_tracer.py").write_text(code)
    told = {"my.model": "gpt-4o-mini", "my.in": 1000, "my.out": 100, "my.agent": "writer"}
    async with tools.watching({"plugins": {"directory": str(plugins)}}) as watcher:
        await watcher.otlp("traces", tools.spans([tools.span("my.call", "1", told)], "my-tracer", service_name="svc"))
        assert watcher.agents()["svc/writer"].tokens == 1100
