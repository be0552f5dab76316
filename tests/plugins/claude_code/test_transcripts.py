"""A transcript alone says what the session said of itself; beside hooks and telemetry it adds nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clawatch_plugins.claude_code.source import TranscriptsSettings, open_transcripts
from clawatch_plugins.claude_code.transcripts import WANTS, Heard, Seen, Transcript
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.tailing import Line
from clawatch.domain.agents import Status
from clawatch.domain.events import Event, EventType, Origin, Phase, Turn

FOLDERS = ["cc_httpjson_tool", "cc_hooks_tool", "cc_httpjson_apierror", "cc_protobuf_toolfail"]
SESSION = "0f0e0d0c-0000-4000-8000-00000000abcd"


def heard(world: Any = None, **fields: Any) -> Heard:
    hooked = set() if world is None else world.vocabulary.sessions.hooked
    values: dict[str, Any] = {
        "agent": None, "is_hooked": lambda agent, session: (agent, session) in hooked, "answers": Seen(),
        "is_known": lambda agent: world is not None and world.fleet.get(agent) is not None,
    }  # fmt: skip
    return Heard(**{**values, **fields})


def read(lines: list[dict[str, Any] | bytes], path: str = f"-opt/{SESSION}.jsonl", **known: Any) -> list[Event]:
    reader = Transcript(path, "", known.pop("heard", None) or heard(**known))
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return [event for at, line in enumerate(raw) for event in reader.read(Line(line, at))]


def events_of(tools: SimpleNamespace, folder: str, known: Heard) -> list[Event]:
    lines = (tools.samples / folder / "transcript.jsonl").read_bytes().splitlines()
    return read([line for line in lines if any(word in line for word in WANTS)], heard=known)


def check(tools: SimpleNamespace, folder: str, world: Any) -> None:
    said, agent = json.loads((tools.samples / folder / "claude.stdout").read_text()), world.only
    used = said["usage"]
    assert agent.cost == round(said["total_cost_usd"] * 10**9)
    assert agent.tokens == sum(used[key] for key in (
        "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens",
    ))  # fmt: skip
    assert agent.unpriced_tokens == 0
    assert agent.tool_calls == said["num_turns"] - 1
    assert agent.error_count == (folder in ("cc_httpjson_apierror", "cc_protobuf_toolfail"))
    assert agent.turn is Turn.CLOSED


@pytest.mark.parametrize("folder", FOLDERS)
async def test_a_transcript_alone_says_what_the_session_cost(tools: SimpleNamespace, folder: str) -> None:
    world = tools.build()
    await world.say(*events_of(tools, folder, heard(world)))
    check(tools, folder, world)
    is_refused = folder == "cc_httpjson_apierror"
    assert world.only.status is (Status.ERROR if is_refused else Status.IDLE)


@pytest.mark.parametrize("order", ["before", "after", "both"])
@pytest.mark.parametrize("folder", FOLDERS)
async def test_beside_telemetry_and_hooks_it_adds_nothing(tools: SimpleNamespace, folder: str, order: str) -> None:
    world = tools.build()
    if order != "after":
        await world.say(*events_of(tools, folder, heard(world)))
    for file in tools.files(folder):
        await world.replay(file)
    if order != "before":
        await world.say(*events_of(tools, folder, heard(world)))
    check(tools, folder, world)
    [errors] = [sum(p.measures.errors for p in await world.store.series(0, world.clock.now().wall, 60_000, "", ("*",)))]
    assert errors == world.only.error_count


async def test_a_transcript_read_twice_counts_once(tools: SimpleNamespace) -> None:
    world = tools.build()
    for _ in range(2):
        await world.say(*events_of(tools, "cc_httpjson_tool", heard(world)))
    check(tools, "cc_httpjson_tool", world)


async def test_prompts_and_calls_are_shown_once_and_without_their_text(tools: SimpleNamespace) -> None:
    events = events_of(tools, "cc_httpjson_tool", heard())
    assert [(event.type, event.phase) for event in events if not event.is_hidden] == [
        (EventType.MESSAGE, Phase.POINT), (EventType.TOOL_CALL, Phase.START), (EventType.TOOL_CALL, Phase.END),
    ]  # fmt: skip
    assert events[0].data == {"role": "user", "length": 20}
    assert "hello" not in repr(events)


def line(type: str = "assistant", **fields: Any) -> dict[str, Any]:
    entry = {"type": type, "uuid": "u1", "timestamp": "2026-11-20T11:49:15.480Z", "sessionId": SESSION, **fields}
    return {key: value for key, value in entry.items() if value is not None}


def answer(output: int, stop: str | None = None, id: str = "msg_1", **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": output}
    message = {"id": id, "model": "claude-opus-5-5[1m]", "stop_reason": stop, "usage": usage}
    return line(message=message, requestId="req_1", **fields)


def spent(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.usage.input, event.usage.output) for event in events if event.usage is not None]


def test_an_answer_told_in_several_lines_counts_its_last() -> None:
    events = read([answer(1), answer(1), answer(40), answer(42, "end_turn")])
    assert spent(events) == [(15, 1), (0, 39), (0, 2)]
    assert len({event.id for event in events}) == len(events)
    assert {event.usage.model for event in events if event.usage} == {"claude-opus-5-5"}
    assert events[-1].turn is Turn.CLOSED


def test_what_is_cached_for_an_hour_is_told_apart() -> None:
    told = answer(1)
    told["message"]["usage"] |= {
        "cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 7},
    }  # fmt: skip
    [event] = read([told])
    assert event.usage is not None
    assert (event.usage.input, event.usage.cache_write, event.usage.cache_write_1h) == (24, 9, 7)


def test_a_reader_goes_on_from_its_note() -> None:
    first = Transcript("a.jsonl", "", heard())
    list(first.read(Line(json.dumps(answer(1)).encode(), 0)))
    second = Transcript("a.jsonl", first.note, heard())
    assert spent(list(second.read(Line(json.dumps(answer(42)).encode(), 1)))) == [(0, 41)]


def test_what_a_resumed_session_copies_counts_once() -> None:
    known = heard()
    original = read([answer(42)], heard=known)
    copy = read([answer(42, sessionId="another", uuid="u9")], "-opt/another.jsonl", heard=known)
    forked = read([answer(42, sessionId="third", id="msg_2", forkedFrom={"sessionId": SESSION})], heard=known)
    assert (len(spent(original)), copy, forked) == (1, [], [])


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return line("user", message={"role": "user", "content": content}, promptId="p1", **fields)


def result(content: Any, is_error: bool = False) -> dict[str, Any]:
    return user([{"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": is_error}])


@pytest.mark.parametrize("said", [
    "<command-name>/clear</command-name>", "<local-command-stdout>done</local-command-stdout>", "<bash-input>ls",
    "Caveat: The messages below were generated by the user", "",
])  # fmt: skip
def test_what_needs_no_model_opens_no_turn(said: str) -> None:
    assert read([user(said)]) == []
    assert read([user("a prompt", isMeta=True), user("a summary", isCompactSummary=True)]) == []


def test_an_interruption_ends_the_turn() -> None:
    events = read([user("go on"), user([{"type": "text", "text": "[Request interrupted by user for tool use]"}])])
    assert [event.turn for event in events] == [Turn.OPEN, Turn.CLOSED]


def test_a_refused_call_is_no_failure() -> None:
    [event] = read([result("The user doesn't want to proceed with this tool use.", is_error=True)])
    assert event.tool is not None
    assert (event.tool.ok, event.tool.is_blocked, event.error, event.turn) == (None, True, None, Turn.CLOSED)


def test_a_failed_call_keeps_the_beginning_of_its_error() -> None:
    [event] = read([result("Exit code 2\n" + "x" * 1000, is_error=True)])
    assert event.is_failed_tool
    assert event.error is not None
    assert (event.error[:11], len(event.error)) == ("Exit code 2", 300)


@pytest.mark.parametrize("fields", [{"isSidechain": True}, {}])
def test_a_subagent_spends_and_works_but_its_turn_is_not_the_sessions(fields: dict[str, Any]) -> None:
    path = f"-opt/{SESSION}.jsonl" if fields else f"-opt/{SESSION}/subagents/agent-1.jsonl"
    call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "x"}}
    told = answer(5, "end_turn", **fields)
    told["message"]["content"] = [call]
    events = read([user("do this", **fields), told], path)
    assert [(event.type, event.turn) for event in events] == [
        (EventType.COST, None), (EventType.TOOL_CALL, None), (EventType.HEARTBEAT, None),
    ]  # fmt: skip
    assert {event.session_id for event in events} == {SESSION}


def test_where_hooks_report_turns_are_left_to_them() -> None:
    events = read([user("go"), answer(5, "end_turn"), result("done")], is_hooked=lambda agent, session: True)
    assert {event.turn for event in events} == {None}
    assert events[-1].tool is not None
    assert events[-1].tool.result_hash is None


def test_what_is_known_better_is_not_told_again() -> None:
    [first, second] = read([user("one", cwd="/srv/shop"), user("two")])
    assert first.facts is not None
    assert (first.facts.name, first.facts.labels) == ("Claude Code 0000abcd", {"project": "shop"})
    assert second.facts is None
    assert read([user("one")], is_known=lambda agent: True)[0].facts is None


def test_its_owner_may_say_which_agent_all_sessions_are() -> None:
    [event] = read([user("one")], agent="laptop")
    assert (event.agent_id, event.session_id) == ("laptop", SESSION)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "message", "content", "usage", "id", "sessionId", "output_tokens", "tool_use_id"]),
        inner, max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_line_does_harm(value: Any) -> None:
    entry = {"type": "assistant", **value} if isinstance(value, dict) else value
    try:
        events = read([json.dumps(entry).encode()])
    except ValueError:
        return  # not understood
    for event in events:
        assert event.usage is None or event.usage.output >= 0
        assert len(event.agent_id) <= 220


async def test_the_source_reads_files_and_goes_on(tools: SimpleNamespace, tmp_path: Path) -> None:
    world = tools.build()
    file = tmp_path / "projects" / "-opt-cc" / "3d1d0056-a0d2-462b-88b0-4fc54d8bbd5f.jsonl"
    file.parent.mkdir(parents=True)
    text = (tools.samples / "cc_httpjson_tool" / "transcript.jsonl").read_text()
    settings = TranscriptsSettings(paths=(str(tmp_path / "projects"),), since=400 * 86_400_000)
    file.write_text(text[: len(text) // 2])
    async with open_transcripts(settings, world.core) as source:
        await tools.until(lambda: len(world.fleet) == 1 and world.only.tool_calls + world.only.tokens)
        with file.open("a") as opened:
            opened.write(text[len(text) // 2 :])
        await tools.until(lambda: world.only.cost == 16_292_000)
        assert source.report().state == "ok"
    check(tools, "cc_httpjson_tool", world)
    assert {one.origin for one in await _stored(world)} <= {Origin.HISTORY, Origin.LIVE}


async def _stored(world: Any) -> list[Event]:
    return [entry.body for entry in await world.store.read(0, 100) if isinstance(entry.body, Event)]
