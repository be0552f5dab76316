"""Claude Code's telemetry, record by record."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.claude_code.vocabulary import ClaudeCode

from clawatch.apis.telemetry import LogRecord, MetricPoint, SpanRecord
from clawatch.domain.events import Event, EventType, Phase, Turn

RESOURCE = {"service.name": "claude-code", "host.name": "laptop"}
SCOPE = "com.anthropic.claude_code"
SESSION = ("claude-code:s1", "s1")
NOW = 1_800_000_000_000


def log(name: str, at: int = 1_000, resource: dict[str, Any] = RESOURCE, **attributes: Any) -> LogRecord:
    told = {"session.id": "s1", "prompt.id": "p1", "event.sequence": 1}
    return LogRecord(
        resource=resource, scope=f"{SCOPE}.events", name=name, at=at, body=f"claude_code.{name}",
        attributes={**told, **{key.replace("__", "."): value for key, value in attributes.items()}},
    )


def point(name: str, value: float, at: int = 2_000, started: int = 1_000, **attributes: Any) -> MetricPoint:
    is_cumulative = attributes.pop("is_cumulative", False)
    return MetricPoint(
        resource=RESOURCE, scope=SCOPE, name=f"claude_code.{name}", kind="sum", at=at, started=started, value=value,
        attributes={"session.id": "s1", "model": "claude-opus-5-5", **attributes}, is_cumulative=is_cumulative,
    )


@pytest.fixture
def vocabulary() -> ClaudeCode:
    return ClaudeCode()


def mapped(vocabulary: ClaudeCode, *records: Any) -> list[Event]:
    return [event for event in vocabulary.map(records, NOW) if event is not None]


def told(vocabulary: ClaudeCode, *records: Any) -> list[Event]:
    """Without the openings of sessions, which are a test of their own."""
    return [event for event in mapped(vocabulary, *records) if not str(event.id).startswith("session:")]


def one(vocabulary: ClaudeCode, *records: Any) -> Event:
    (event,) = told(vocabulary, *records)
    return event


def test_a_client_is_known_by_its_scope_or_its_service(vocabulary: ClaudeCode) -> None:
    assert vocabulary.detects({"service.name": "renamed"}, f"{SCOPE}.events")
    assert vocabulary.detects({"service.name": "claude-code"}, "")
    assert not vocabulary.detects({"service.name": "codex_exec"}, "codex")
    assert not vocabulary.detects({}, "com.anthropic.claude_codex")


def test_agents_go_by_session_unless_their_operator_names_them(vocabulary: ClaudeCode) -> None:
    event = one(vocabulary, log("tool_result"))
    assert event.facts is not None
    assert (event.agent_id, event.session_id, event.facts.host) == ("claude-code:s1", "s1", "laptop")
    assert (event.facts.name, event.facts.group) == ("Claude Code s1", "claude-code:laptop")
    named = one(vocabulary, log("tool_result", resource={**RESOURCE, "clawatch.agent.id": "build-1"}))
    assert (named.agent_id, named.session_id) == ("build-1", "s1")


def test_without_a_session_nothing_is_counted(vocabulary: ClaudeCode) -> None:
    assert mapped(vocabulary, log("api_request", session__id="s" * 201, cost_usd=1)) == [], "nor is this one"
    assert mapped(vocabulary, log("api_request", session__id=None, cost_usd=1)) == []


def test_input_includes_what_was_cached_and_money_is_exact(vocabulary: ClaudeCode) -> None:
    event = one(vocabulary, log(
        "api_request", model="claude-opus-4-8[1m]", input_tokens=1202, output_tokens="42", cache_read_tokens=5000,
        cache_creation_tokens=300, cost_usd=0.008147999999999999, cost_usd_micros=8148, request_id="r1", duration_ms=57,
    ))
    assert event.usage is not None
    assert (event.usage.model, event.usage.cost, event.usage.input) == ("claude-opus-4-8", 8_148_000, 6502)
    assert (event.call_id, event.rank, event.latency_ms) == ("r1", 3, 57)


def test_money_without_micros_is_taken_as_dollars(vocabulary: ClaudeCode) -> None:
    event = one(vocabulary, log("api_request", cost_usd=0.5))
    assert event.usage is not None and event.usage.cost == 500_000_000


@pytest.mark.parametrize("junk", [None, "many", -1, float("inf"), float("nan"), 1e300, True, [], {}, "9" * 400])
def test_absurd_figures_are_no_figures(vocabulary: ClaudeCode, junk: Any) -> None:
    fields = ("input_tokens", "output_tokens", "cache_read_tokens", "cost_usd", "cost_usd_micros", "duration_ms")
    event = one(vocabulary, log("api_request", **dict.fromkeys(fields, junk)))
    assert (event.usage, event.latency_ms) == (None, None)


def test_a_decision_begins_a_call_and_a_result_ends_it(vocabulary: ClaudeCode) -> None:
    start = one(vocabulary, log("tool_decision", decision="accept", tool_name="Bash", tool_use_id="t1"))
    end = one(vocabulary, log(
        "tool_result", tool_name="Bash", tool_use_id="t1", success="false", duration_ms="25", error_type="ShellError",
        tool_input_size_bytes="63",
    ))
    assert (start.type, start.phase, start.call_id) == (EventType.TOOL_CALL, Phase.START, "t1")
    assert (end.phase, end.call_id, end.latency_ms, end.error) == (Phase.END, "t1", 25, "ShellError")
    assert end.tool is not None and (end.tool.ok, end.tool.args_size, end.tool.args_hash) == (False, 63, None)


def test_a_rejected_call_is_blocked(vocabulary: ClaudeCode) -> None:
    event = one(vocabulary, log("tool_decision", decision="reject", tool_name="Bash"))
    assert event.tool is not None and event.tool.is_blocked
    assert event.turn is None


def test_arguments_hash_as_the_hooks_hash_them(vocabulary: ClaudeCode) -> None:
    from clawatch.domain.hashing import hash_value

    event = one(vocabulary, log("tool_result", tool_name="Bash", tool_input='{"b":[2],"a":1}'))
    assert event.tool is not None and event.tool.args_hash == hash_value({"a": 1, "b": [2]})
    assert "tool_input" not in event.data


def test_an_answer_without_a_call_of_a_tool_ends_the_turn(vocabulary: ClaudeCode) -> None:
    def turns(*records: LogRecord) -> list[Turn | None]:
        return [event.turn for event in told(vocabulary, *records)]

    decision = log("tool_decision", decision="accept", tool_name="Bash", tool_use_id="t1", request_id="r1")
    assert turns(log("user_prompt"), decision, log("api_request", request_id="r1", cost_usd=1)) == [
        Turn.OPEN, Turn.OPEN, None,
    ]
    assert turns(log("api_request", request_id="r2", query_source="repl_main_thread")) == [Turn.CLOSED]
    assert turns(log("api_request", request_id="r3", query_source="generate_session_title")) == [None]
    vocabulary.sessions.hooked.add(SESSION)
    assert turns(log("user_prompt"), log("api_request", request_id="r4")) == [None, None]


def test_who_reports_another_agent_s_session_says_nothing_of_that_agent(vocabulary: ClaudeCode) -> None:
    vocabulary.sessions.hooked.add(("mine-1", "s1"))
    assert one(vocabulary, log("user_prompt")).turn is Turn.OPEN
    forged = {**RESOURCE, "clawatch.agent.id": "mine-1"}
    records = [log("tool_decision", resource=forged, request_id="r1"), log("user_prompt", resource=forged)]
    vocabulary.accepted(mapped(vocabulary, *records))
    assert one(vocabulary, log("api_request", request_id="r1")).turn is Turn.CLOSED


def test_an_api_error_is_one_with_the_failed_stop(vocabulary: ClaudeCode) -> None:
    event = one(vocabulary, log("api_error", error="fake: bad request", status_code=400, request_id="r1"))
    assert (event.type, event.call_id, event.error) == (EventType.ERROR, "failure:p1", "fake: bad request")
    beside = one(vocabulary, log("api_error", error="x", request_id="r2", query_source="generate_session_title"))
    assert (beside.call_id, beside.turn) == ("r2", None)


@pytest.mark.parametrize("name", ["api_retries_exhausted", "retention_sweep", "plugin_loaded", "never_heard_of", ""])
def test_what_is_not_in_the_table_is_one_hidden_sign_of_life(vocabulary: ClaudeCode, name: str) -> None:
    event = one(vocabulary, log(name), log(name, at=3_000), log(name, at=2_000))
    assert (event.type, event.is_hidden, event.is_progress) == (EventType.HEARTBEAT, True, False)
    assert event.at == 3_000


def test_a_record_sent_again_has_the_same_id(vocabulary: ClaudeCode) -> None:
    first, again = (one(vocabulary, log("assistant_response", response_length=3)) for _ in range(2))
    assert first.id == again.id is not None
    assert first.id != one(vocabulary, log("assistant_response", at=9_000)).id


def test_a_record_without_a_time_happened_now(vocabulary: ClaudeCode) -> None:
    assert one(vocabulary, log("user_prompt", at=0)).at == NOW


def test_a_session_first_told_of_rests_until_a_prompt_says_otherwise() -> None:
    vocabulary = ClaudeCode()
    opening, prompt = mapped(vocabulary, log("user_prompt", at=5_000), log("plugin_loaded", at=4_000))
    assert (opening.turn, opening.at, opening.is_progress) == (Turn.CLOSED, 4_000, False)
    assert prompt.turn is Turn.OPEN
    again, _ = mapped(vocabulary, log("user_prompt"))
    assert again.id == opening.id, "so that the store counts it once, whichever of the two was taken"


def test_a_report_that_was_not_taken_leaves_nothing_behind(vocabulary: ClaudeCode) -> None:
    """Only the store knows whether its sender may speak for the session, and whether it was kept."""
    decision = log("tool_decision", decision="accept", request_id="r1")
    events = mapped(vocabulary, decision)
    assert one(vocabulary, log("api_request", request_id="r1")).turn is Turn.CLOSED
    vocabulary.accepted(events)
    assert one(vocabulary, log("api_request", request_id="r1")).turn is None


def test_deltas_are_usage_of_one_session_and_model(vocabulary: ClaudeCode) -> None:
    tokens = {"input": 2403, "output": 84, "cacheRead": 10_000, "cacheCreation": 600}
    points = [point("token.usage", value, type=kind) for kind, value in tokens.items()]
    event = one(vocabulary, point("session.count", 1), point("cost.usage", 0.016292), *points)
    assert event.usage is not None
    assert (event.usage.cost, event.usage.input, event.usage.output) == (16_292_000, 13_003, 84)
    assert (event.usage.cache_read, event.usage.cache_write, event.rank) == (10_000, 600, 1)
    assert not event.is_progress
    again = one(vocabulary, *points[::-1], point("cost.usage", 0.016292))
    assert again.id == event.id


def test_cumulative_sums_are_counters(vocabulary: ClaudeCode) -> None:
    read = point("token.usage", 5_000, type="cacheRead", is_cumulative=True)
    event = one(vocabulary, read, point("cost.usage", 0.5, is_cumulative=True))
    assert [(c.measure, c.value, c.started) for c in event.counters] == [
        ("cache_read", 5_000, 1_000), ("input", 5_000, 1_000), ("cost", 500_000_000, 1_000),
    ]
    assert len({counter.series for counter in event.counters}) == 3
    assert event.usage is not None and event.usage.total == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e300])
def test_absurd_sums_are_a_sign_of_life(vocabulary: ClaudeCode, value: float) -> None:
    for event in told(vocabulary, point("cost.usage", value), point("token.usage", value, type="input")):
        assert event.usage is None


def span(name: str, **attributes: Any) -> SpanRecord:
    return SpanRecord(
        resource=RESOURCE, scope=f"{SCOPE}.tracing", name=f"claude_code.{name}", started=1_000, at=2_000,
        trace_id="a" * 32, span_id=name.encode().hex()[:16], attributes={"session.id": "s1", **attributes},
    )


def test_only_the_request_itself_tells_usage_among_spans(vocabulary: ClaudeCode) -> None:
    request = span("llm_request", model="m", input_tokens=1, output_tokens=2, cache_read_tokens=3)
    event = one(vocabulary, span("interaction", input_tokens=99, output_tokens=99), request)
    assert event.usage is not None
    assert (event.usage.input, event.usage.output, event.rank, event.call_id) == (4, 2, 2, None)


def test_a_tool_span_ends_the_call_with_what_its_execution_came_to(vocabulary: ClaudeCode) -> None:
    event = one(
        vocabulary, span("tool.execution", tool_use_id="t1", success=False),
        span("tool", tool_use_id="t1", tool_name="Bash"),
    )
    assert (event.call_id, event.phase, event.is_failed_tool) == ("t1", Phase.END, True)


def test_a_failed_request_is_left_to_the_logs(vocabulary: ClaudeCode) -> None:
    assert one(vocabulary, span("llm_request", success=False, error="x")).type is EventType.HEARTBEAT
