"""A rollout says what a session did and used; beside its telemetry it adds nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.codex.rollouts import WANTS, Rollout
from clawatch_plugins.codex.sessions import RolloutsSettings
from clawatch_plugins.codex.vocabulary import Codex
from clawatch_plugins.prices.enricher import Prices
from clawatch_plugins.prices.settings import PricesSettings
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.telemetry import Encoding, OtlpSignal, decode
from clawatch.apis.transcripts import sources_of
from clawatch.domain.agents import Status
from clawatch.domain.events import Event, EventType, Turn
from clawatch.testing.intake import Intake, read_lines

SAMPLE = Path(__file__).parents[2] / "samples" / "codex_httpjson_tool"
NOW = 1_795_180_000_000
SESSION = "01a1f8d9-e666-7ed1-b1e1-f29e79d009d2"
PATH = f"2026/11/20/rollout-2026-11-20T12-06-32-{SESSION}.jsonl"


def intake() -> Intake:
    return Intake.open(NOW, [Prices(PricesSettings())])


def rollout(world: Intake) -> list[Event]:
    reader = partial(Rollout, sources=sources_of(world.core))
    return read_lines(reader, (SAMPLE / "rollout.jsonl").read_bytes(), PATH, WANTS)


def telemetry() -> list[Event]:
    vocabulary, events = Codex(), []
    for file in sorted(SAMPLE.glob("otlp/*.body.json")):
        records = decode(file.read_bytes(), OtlpSignal(file.name.split("_")[1].split(".")[0]), Encoding.JSON)
        events += [event for event in vocabulary.map(records, NOW) if event is not None]
    return events


async def check(world: Intake) -> None:
    """What its own standard output says: 2000 tokens in, 800 of them cached, 100 out; one call."""
    agent, sums = world.only, await world.sums()
    assert (agent.id, agent.kind) == (f"codex:{SESSION}", "codex")
    assert (sums.input, sums.cache_read, sums.output, agent.tokens) == (2000, 800, 100, 2100)
    assert (agent.tool_calls, agent.error_count, agent.unpriced_tokens) == (1, 0, 0)
    assert agent.cost == sums.cost == 2_600_000, "1200 at $1.25, 800 at $0.125 and 100 at $10 per million"
    assert agent.turn is Turn.CLOSED
    assert agent.status is Status.IDLE


async def test_a_rollout_alone_says_what_the_session_used() -> None:
    world = intake()
    events = rollout(world)
    await world.say(events)
    await check(world)
    assert [event.type for event in events if not event.is_hidden] == [
        EventType.MESSAGE, EventType.TOOL_CALL, EventType.TOOL_CALL, EventType.TOOL_CALL,
    ]  # fmt: skip
    assert world.only.labels == {"project": "codexwork"}
    assert "hello" not in repr(events)
    await world.say(rollout(world))
    await check(world)


@pytest.mark.parametrize("is_first", [True, False])
async def test_beside_telemetry_it_adds_nothing(is_first: bool) -> None:
    if not list(SAMPLE.glob("otlp/*.body.json")):
        pytest.skip("the sample's telemetry is not there")
    world = intake()
    if is_first:
        await world.say(rollout(world))
    await world.say(telemetry())
    await world.say(rollout(world))
    await check(world)
    if not is_first:
        assert (await world.sums()).messages == 1


def line(kind: str, at: int = 0, **payload: Any) -> dict[str, Any]:
    stamp = f"2026-11-20T12:00:{at:02d}.000Z"
    if kind in ("session_meta", "turn_context", "token_usage_record"):
        return {"timestamp": stamp, "type": kind, "payload": payload}
    return {"timestamp": stamp, "type": "event_msg", "payload": {"type": kind, **payload}}


def item(type: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-11-20T12:00:00Z", "type": "response_item", "payload": {"type": type, **payload}}


def read(*lines: Any, spoken: tuple[str, ...] = ()) -> list[Event]:
    data = b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in lines)
    return read_lines(partial(Rollout, sources=lambda agent: spoken), data, PATH, WANTS)


def totals(input: int, output: int, at: int = 9) -> dict[str, Any]:
    return line("token_count", at, info={"total_token_usage": {"input_tokens": input, "output_tokens": output}})


def spent(events: list[Event]) -> list[tuple[str, int, int]]:
    return [(event.usage.model, event.usage.input, event.usage.output) for event in events if event.usage]


def test_of_running_totals_what_they_grow_by_is_used() -> None:
    context = line("turn_context", model="gpt-5.1")
    events = read(context, totals(10, 1), totals(10, 1), totals(30, 4), totals(5, 5), line("token_count", info=None))
    assert spent(events) == [("gpt-5.1", 10, 1), ("gpt-5.1", 20, 3), ("gpt-5.1", 5, 5)]


def test_where_every_answer_is_recorded_the_totals_add_nothing() -> None:
    record = line("token_usage_record", thread_id=SESSION, response_id="r1", usage={"input_tokens": 7})
    foreign = line("token_usage_record", thread_id="another", response_id="r0", usage={"input_tokens": 70})
    assert [used[1:] for used in spent(read(foreign, record, record, totals(7, 0)))] == [(7, 0), (7, 0)]
    assert len({event.id for event in read(record, record)}) == 1


def test_what_a_forked_session_takes_over_is_not_used_again() -> None:
    meta = line("session_meta", id=SESSION, forked_from_id="another")
    assert [used[1:] for used in spent(read(meta, totals(100, 10, at=1), totals(130, 12, at=9)))] == [(30, 2)]


def test_a_turn_fails_once() -> None:
    started = line("task_started", turn_id="t1")
    ended = line("task_complete", turn_id="t1", error={"message": "x"})
    events = read(started, line("error", message="429 Too Many Requests"), ended)
    assert [event.call_id for event in events if event.type is EventType.ERROR] == ["failure:t1"] * 2
    assert events[-1].turn is Turn.CLOSED


@pytest.mark.parametrize(("kind", "turn"), [
    ("task_started", Turn.OPEN), ("exec_approval_request", Turn.WAITING), ("turn_aborted", Turn.CLOSED),
])  # fmt: skip
def test_where_the_turn_stands(kind: str, turn: Turn) -> None:
    assert [event.turn for event in read(line(kind, turn_id="t1"))] == [turn]


@pytest.mark.parametrize(("output", "ok"), [
    ("Process exited with code 0\nOutput:", True), ("Process exited with code 2\n", False),
    ('{"output":"x","metadata":{"exit_code":1}}', False), ("said something", None),
    ({"content": "x", "success": False}, False), ([{"type": "input_text", "text": "x"}], None),
])  # fmt: skip
def test_whether_a_call_worked(output: Any, ok: bool | None) -> None:
    start, end = read(
        item("custom_tool_call", call_id="c1", name="apply_patch", input="*** Begin"),
        item("custom_tool_call_output", call_id="c1", output=output),
    )
    assert start.tool and end.tool
    assert (start.tool.name, end.tool.name, end.tool.ok) == ("apply_patch", "apply_patch", ok)
    assert start.tool.args_hash is not None


def test_what_telemetry_tells_without_an_id_is_left_to_it() -> None:
    told = [line("user_message", message="hi"), line("error", message="no")]
    assert {event.type for event in read(*told)} == {EventType.MESSAGE, EventType.ERROR}
    assert {event.type for event in read(*told, spoken=("otlp", "codex"))} == {EventType.HEARTBEAT}


def test_it_looks_where_codex_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert [folder.root for folder in RolloutsSettings().folders()] == [tmp_path / "sessions"]
    assert RolloutsSettings().folders()[0].has(PATH)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "payload", "call_id", "item", "usage", "info", "output", "turn_id", "id"]),
        inner | st.sampled_from(["event_msg", "token_count", "item_completed", "function_call", "error"]), max_size=4,
    ),
    max_leaves=10,
))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_line_does_harm(value: Any) -> None:
    try:
        read(value)
    except ValueError:
        return
