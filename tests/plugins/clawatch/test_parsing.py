"""What is made of posted bodies, whatever is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clawatch_plugins.clawatch.items import MAX_TOKENS
from clawatch_plugins.clawatch.parsing import Batch, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.envelopes import Refused
from clawatch.domain.events import Activity, Event, EventType, Origin, Phase
from clawatch.domain.hashing import hash_value
from clawatch.domain.runs import RunStatus

NOW = 1_773_064_800_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([
    "agentId", "type", "timestamp", "data", "id", "labels", "phase", "costUsd", "tokenCount", "runId", "status",
    "progress", "op", "arguments", "ok", "error",
])
TYPES = st.sampled_from([kind.value for kind in EventType])


def read(body: Any, is_lines: bool = False, origin: Origin = Origin.LIVE) -> Batch:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(raw, is_lines, NOW, origin)


def one(type: str = "heartbeat", /, data: Any = None, **top: Any) -> Event:
    batch = read({"agentId": "a", "type": type, "data": data, **top})
    assert not batch.refusals
    (event,) = batch.events
    return event


def refusal(type: str = "heartbeat", /, data: Any = None, **top: Any) -> str:
    (refused,) = read({"agentId": "a", "type": type, "data": data, **top}).refusals
    return refused[1]


def test_an_event_is_read_whole() -> None:
    event = one(
        "tool_call",
        {"toolName": "exec", "arguments": {"b": 1, "a": 2}, "result": "done", "ok": False, "durationMs": 12.5,
         "costUsd": 0.03, "tokenCount": 1500, "model": "m", "blocked": True, "error": "exit 1", "mood": "fine"},
        agentName="A", host="h", timestamp="2026-03-09T14:00:00Z", id="i", sessionId="s", callId="c", phase="end",
    )
    assert (event.at, event.id, event.session_id, event.call_id, event.phase) == (NOW, "i", "s", "c", Phase.END)
    assert event.tool is not None
    assert event.usage is not None
    assert event.facts is not None
    assert (event.tool.name, event.tool.ok, event.tool.is_blocked) == ("exec", False, True)
    assert event.tool.args_hash == hash_value({"a": 2, "b": 1})
    assert event.tool.result_hash == hash_value("done")
    assert (event.usage.cost, event.usage.total, event.usage.model) == (30_000_000, 1500, "m")
    assert (event.latency_ms, event.error, event.data["mood"]) == (12.5, "exit 1", "fine")
    assert (event.facts.name, event.facts.host) == ("A", "h")
    assert event.source == "clawatch"


def test_the_hash_is_of_the_whole_though_only_a_piece_is_kept() -> None:
    long = "word " * 10_000
    event = one("tool_call", {"toolName": "t", "arguments": {"text": long}})
    other = one("tool_call", {"toolName": "t", "arguments": {"text": long + "!"}})
    assert event.tool is not None
    assert other.tool is not None
    assert event.tool.args_hash == hash_value({"text": long}) != other.tool.args_hash
    assert len(event.data["arguments"]) <= 2_000


@pytest.mark.parametrize(
    ("data", "total", "whole"),
    [
        ({"inputTokens": 100, "outputTokens": 10}, 110, 100),
        ({"inputTokens": 100, "cacheReadTokens": 60, "cacheWriteTokens": 20}, 100, 100),
        ({"inputTokens": 5, "cacheReadTokens": 60, "cacheWriteTokens": 20}, 85, 85),
        ({"tokenCount": 7}, 7, 0),
        ({"tokenCount": 7.0}, 7, 0),
    ],
)
def test_input_includes_what_was_cached(data: dict[str, Any], total: int, whole: int) -> None:
    usage = one("cost", data).usage
    assert usage is not None
    assert (usage.total, usage.input, usage.cost) == (total, whole, None)


def test_a_cost_of_nothing_is_known_and_no_cost_is_not() -> None:
    free, silent = one("cost", {"costUsd": 0}), one("cost", {"model": "m"})
    assert free.usage is not None
    assert free.usage.cost == 0
    assert silent.usage is None


def test_metrics_are_gauges_and_count_nothing() -> None:
    event = one("metrics", {"costUsd": 5, "tokenCount": 10, "messages_1h": 142, "cpu": 0.5})
    assert event.usage is None
    assert event.data["messages_1h"] == 142


@pytest.mark.parametrize(
    ("word", "activity"),
    [("online", Activity.RUNNING), ("busy", Activity.RUNNING), ("active", Activity.RUNNING),
     ("offline", Activity.STOPPED), ("idle", Activity.IDLE), ("stuck", Activity.ERROR)],
)
def test_status_words_of_other_systems_are_understood(word: str, activity: Activity) -> None:
    assert one("status_change", {"status": word}).activity is activity
    assert one("heartbeat", {"status": word}).activity is activity


def test_a_heartbeat_with_an_odd_status_is_a_heartbeat_all_the_same() -> None:
    assert one("heartbeat", {"status": "healthy"}).activity is None
    assert one("tool_call", {"status": 200}).activity is None


def test_a_report_that_is_no_progress() -> None:
    assert not one("heartbeat", {"progress": False}).is_progress
    assert one("heartbeat", {"progress": True}).is_progress
    assert one("heartbeat").is_progress


def test_a_run_is_reported() -> None:
    run = one("run", {"runId": "r", "kind": "task", "status": "running", "progress": 0.5, "parentRunId": "p"}).run
    assert run is not None
    assert (run.run_id, run.kind, run.status, run.progress, run.parent_run_id) == ("r", "task", "running", 0.5, "p")
    for status in RunStatus:
        one("run", {"runId": "r", "status": status})


def test_names_lose_their_control_characters() -> None:
    facts = one(agentName="a\x1b[31mb\nc\u202e", host="\x00", kind="k" * 500, labels={"\x07": "x", "ok\n": "y\n"}).facts
    assert facts is not None
    assert (facts.name, facts.host, facts.labels) == ("a [31mb c", None, {"ok": "y"})
    assert len(facts.kind or "") == 200


def test_empty_words_say_nothing() -> None:
    event = one(agentName="", host="", id="", callId="", sessionId="")
    assert (event.facts, event.id, event.call_id, event.session_id) == (None, None, None, None)


def test_late_events_are_late() -> None:
    (event,) = read({"agentId": "a", "type": "cost"}, origin=Origin.LATE).events
    assert event.origin is Origin.LATE


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ({"timestamp": "2026-13-01"}, "timestamp"), ({"timestamp": "1969-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp"), ({"phase": "x"}, "phase"), ({"id": 5}, "id"),
        ({"labels": {"a": 1}}, "labels"), ({"labels": {str(n): "" for n in range(33)}}, "labels"),
        ({"capabilities": "all"}, "capabilities"), ({"data": {"a": "x" * 9_000, "b": list(range(30_000))}}, ""),
    ],
)
def test_a_refusal_names_the_key(top: dict[str, Any], words: str) -> None:
    batch = read({"agentId": "a", "type": "heartbeat", **top})
    if words:
        assert batch.refusals[0][1].startswith(f"{words}: ") or batch.refusals[0][1].startswith(f"{words}")
    else:
        assert len(json.dumps(batch.events[0].data)) < 20_000  # cut, not refused


def test_data_that_cannot_be_cut_to_size_is_refused() -> None:
    assert "data" in refusal(data={f"key {n}": "x" * 7_000 for n in range(20)})


def test_nesting_is_bounded() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    assert "nested" in refusal(data={"deep": deep})
    assert "nested" not in str(one(data={"wide": [[n] for n in range(200)]}))


def test_a_number_that_sqlite_cannot_hold_is_refused() -> None:
    assert str(MAX_TOKENS) in refusal("cost", {"tokenCount": 2**63})


def test_what_nobody_knows_at_the_top_is_passed_over() -> None:
    assert one(unknown={"a": 1}).data == {}


def test_places_are_kept_beside_refusals() -> None:
    batch = read([{"agentId": "a"}, {"agentId": "a", "type": "cost"}, [], {"agentId": "b", "type": "cost"}])
    assert batch.places == [1, 3]
    assert [place for place, _ in batch.refusals] == [0, 2]


def test_a_pretty_printed_event_is_one_event() -> None:
    raw = json.dumps({"agentId": "a", "type": "heartbeat", "data": {"x": 1}}, indent=2).encode()
    assert len(read(raw).events) == 1


def test_one_event_after_another_without_a_newline_is_no_json() -> None:
    with pytest.raises(Refused):
        read(b'{"agentId":"a","type":"cost"}{"agentId":"a","type":"cost"}')


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(raw: bytes, is_lines: bool) -> None:
    try:
        batch = parse(raw, is_lines, NOW, Origin.LIVE)
    except Refused as refused:
        assert refused.problem.status == 400
    else:
        assert not batch.events


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(KEYS, JSON, max_size=8), max_size=4), TYPES, st.dictionaries(KEYS, JSON, max_size=6))
def test_any_json_is_taken_or_refused_item_by_item(items: list[Any], kind: str, data: dict[str, Any]) -> None:
    items = [*items, {"agentId": "a", "type": kind, "data": data}]
    batch = read(items)
    assert sorted([*batch.places, *(place for place, _ in batch.refusals)]) == list(range(len(items)))
    for event in batch.events:
        json.dumps(event.data)
        if event.usage is not None:
            assert event.usage.total >= 0
            assert (event.usage.cost or 0) >= 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.fixed_dictionaries({"agentId": st.just("a"), "type": TYPES}), min_size=2, max_size=5))
def test_lines_and_arrays_say_the_same(items: list[Any]) -> None:
    lines = "\n".join(json.dumps(item) for item in items).encode()
    as_lines, as_array = read(lines), read(items)
    assert (as_lines.events, as_lines.refusals) == (as_array.events, as_array.refusals)
