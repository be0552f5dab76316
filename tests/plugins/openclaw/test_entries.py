"""A transcript's entries: what each becomes, and that nothing makes the parser raise or count wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.identity import Where
from clawatch_plugins.openclaw.reading import decode
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.events import Event, EventType, Phase, Turn, idents

MAIN = Where(gateway="openclaw", agent="main", session_id="s-1", session_key="agent:main:main")
AT = 1_782_896_400_000
SAMPLE = Path(__file__).parents[2] / "samples" / "pi_json" / "session.jsonl"


def read(*entries: dict[str, Any], where: Where = MAIN) -> list[Event]:
    transcripts = Transcripts()
    return [event for entry in entries for event in transcripts.map(where, entry, AT)]


def test_a_prompt_opens_a_turn_and_only_its_length_is_kept(disk: Any) -> None:
    (event,) = read(disk.user("e1", AT, "my secret plan"))
    assert (event.type, event.turn, event.data) == (EventType.MESSAGE, Turn.OPEN, {"role": "user", "length": 14})
    assert "secret" not in msgspec.json.encode(event).decode()


def test_a_prompt_is_kept_where_that_is_asked_for(disk: Any) -> None:
    (event,) = Transcripts(keep_text=True).map(MAIN, disk.user("e1", AT, "the plan"), AT)
    assert event.data["text"] == "the plan"


def test_schedules_hooks_and_other_agents_are_no_people(disk: Any) -> None:
    for key in ("agent:main:cron:7", "agent:main:subagent:1", "hook:9"):
        where = Where(gateway="openclaw", agent="main", session_id="s-1", session_key=key)
        assert read(disk.user("e1", AT), where=where)[0].data["role"] == "automation"
    assert read(disk.user("e1", AT, "Read HEARTBEAT.md if it exists"))[0].data["role"] == "heartbeat"


def test_a_model_call_counts_cached_tokens_as_input_and_its_own_cost(disk: Any) -> None:
    (event,) = read(disk.answer("e1", AT, cost=0.011139))
    usage = event.usage
    assert usage is not None
    assert (usage.input, usage.output, usage.cache_read, usage.total, usage.cost) == (1000, 50, 400, 1050, 11_139_000)
    assert (event.type, event.turn, usage.model) == (EventType.COST, Turn.CLOSED, "acme-1")


def test_a_cost_of_nothing_for_tokens_is_an_unknown_cost(disk: Any) -> None:
    (event,) = read(disk.answer("e1", AT, cost=0))
    assert event.usage is not None
    assert event.usage.is_unpriced


def test_the_answering_model_is_named_before_the_one_asked_for(disk: Any) -> None:
    (event,) = read(disk.answer("e1", AT, responseModel="acme-1-2026"))
    assert event.usage is not None
    assert event.usage.model == "acme-1-2026"


def test_the_session_names_the_model_where_the_message_does_not(disk: Any) -> None:
    where = Where(gateway="openclaw", agent="main", session_id="s-1", model="fallback")
    (event,) = read(disk.answer("e1", AT, model=None), where=where)
    assert event.usage is not None
    assert event.usage.model == "fallback"


def test_a_call_and_its_result_are_one_by_their_id(disk: Any) -> None:
    call = disk.answer("e1", AT, stop="toolUse", call="t1")
    _, start, end = read(call, disk.result("e2", AT + 700, "t1", exitCode=0))
    assert start.tool is not None
    assert end.tool is not None
    assert (start.phase, end.phase, start.call_id, end.call_id) == (Phase.START, Phase.END, "t1", "t1")
    assert start.tool.args_hash == end.tool.args_hash is not None
    assert (end.tool.ok, end.latency_ms) == (True, 700)


def test_a_call_id_that_is_used_again_is_another_call(disk: Any) -> None:
    entries = [
        disk.answer("e1", AT, stop="toolUse", call="call_0"), disk.result("e2", AT, "call_0"),
        disk.answer("e3", AT + 9, stop="toolUse", call="call_0"), disk.result("e4", AT + 9, "call_0"),
    ]
    ends = [event for event in read(*entries) if event.phase is Phase.END]
    assert len({event.call_id for event in ends}) == 2


def test_a_failed_command_says_so_by_its_exit_code(disk: Any) -> None:
    (end,) = read(disk.result("e2", AT, "t1", exitCode=2, durationMs=41))
    assert end.tool is not None
    assert (end.tool.ok, end.error, end.latency_ms) == (False, "exit code 2", 41)


def test_a_refused_call_is_blocked(disk: Any) -> None:
    (end,) = read(disk.result("e2", AT, "t1", status="blocked", deniedReason="tool-loop"))
    assert end.tool is not None
    assert (end.tool.is_blocked, end.tool.ok, end.error) == (True, False, "blocked: tool-loop")


def test_results_that_differ_in_their_duration_are_the_same(disk: Any) -> None:
    (one,), (other,) = (read(disk.result("e2", AT, "t1", exitCode=1, durationMs=ms, pid=ms)) for ms in (1, 2))
    assert one.tool is not None
    assert other.tool is not None
    assert one.tool.result_hash == other.tool.result_hash


def test_a_failed_model_call_is_an_error_that_ends_the_turn(disk: Any) -> None:
    nothing = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 0, "cost": {"total": 0}}
    (event,) = read(disk.answer("e1", AT, stop="error", errorMessage="429 rate_limit", usage=nothing))
    assert (event.type, event.error, event.usage, event.turn) == (EventType.ERROR, "429 rate_limit", None, Turn.CLOSED)


def test_what_openclaw_writes_in_its_own_name_is_no_model_call(disk: Any) -> None:
    assert read(disk.answer("e1", AT, provider="openclaw", model="delivery-mirror")) == []


def test_what_was_copied_from_another_session_counts_there_only(disk: Any) -> None:
    old, new = disk.answer("e1", AT), disk.answer("e2", AT + 60_000)
    events = read(disk.header("s-1", AT + 30_000, parentSession="/x/s-0.jsonl"), old, new)
    assert [event.id for event in events] == ["s-1:e2"]


def test_the_sample_of_the_real_program_comes_to_what_it_says() -> None:
    lines = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    events = read(*lines)
    stated = [line["message"]["usage"] for line in lines if "usage" in line.get("message", {})]
    usages = [event.usage for event in events if event.usage is not None]
    assert sum(one.cost or 0 for one in usages) == round(sum(one["cost"]["total"] for one in stated) * 1e9)
    assert sum(one.total for one in usages) == sum(one["totalTokens"] for one in stated) == 2100
    assert [event.tool.name for event in events if event.tool and event.phase is Phase.END] == ["bash"]
    assert not any(event.is_error for event in events)
    assert [event.turn for event in events][0::len(events) - 1] == [Turn.OPEN, Turn.CLOSED]


# -- hostile input

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["type", "id", "timestamp", "message", "role", "content", "usage", "cost", "input", "total",
                        "output", "details", "exitCode", "toolCallId", "arguments", "stopReason", "parentSession"])
ODD = st.dictionaries(KEYS, VALUES, max_size=6)


@given(entry=ODD, message=ODD, usage=ODD, content=st.lists(ODD, max_size=3), role=st.sampled_from(
    ["user", "assistant", "toolResult", "system"]
))
def test_nothing_in_an_entry_makes_it_raise(
    entry: dict[str, Any], message: dict[str, Any], usage: dict[str, Any], content: list[Any], role: str
) -> None:
    inner = {**message, "role": role, "usage": usage, "content": content}
    for event in read({**entry, "type": "message", "message": inner}, entry):
        idents(event)
        msgspec.json.encode(event)
        assert event.usage is None or (event.usage.input >= 0 and event.usage.output >= 0)


@given(data=st.data())
def test_a_broken_line_counts_wholly_or_not_at_all(data: Any) -> None:
    line = SAMPLE.read_bytes().splitlines()[4]
    cut = data.draw(st.integers(0, len(line)))
    broken = bytearray(line[:cut] if data.draw(st.booleans()) else line)
    entry = decode(bytes(broken))
    assert entry is None or len(broken) == len(line)
    whole = [event.usage for event in read(json.loads(line)) if event.usage]
    if entry is not None:
        assert [event.usage for event in read(dict(entry)) if event.usage] == whole


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_makes_it_raise(position: int, bit: int) -> None:
    line = bytearray(SAMPLE.read_bytes().splitlines()[4])
    line[position % len(line)] ^= 1 << bit
    entry = decode(bytes(line))
    if entry is not None:
        read(dict(entry))
