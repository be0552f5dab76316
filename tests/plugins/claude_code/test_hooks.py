"""What each hook means."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.claude_code.hooks import map_hook, read_hook

from clawatch.domain.events import Activity, Event, EventType, Phase, Turn
from clawatch.ports import Invalid

SESSION = "0f0e0d0c-0000-4000-8000-00000000abcd"


def told(name: str, turn: Turn | None = Turn.OPEN, **fields: Any) -> Event | None:
    hook = read_hook({"hook_event_name": name, "session_id": SESSION, "prompt_id": "p1", **fields}, None)
    return map_hook(hook, 1_000, turn)


def event(name: str, turn: Turn | None = Turn.OPEN, **fields: Any) -> Event:
    made = told(name, turn, **fields)
    assert made is not None
    return made


def test_a_prompt_opens_the_turn_and_is_not_kept() -> None:
    made = event("UserPromptSubmit", prompt="the secret plan")
    assert (made.type, made.turn, made.call_id) == (EventType.MESSAGE, Turn.OPEN, "prompt:p1")
    assert made.data == {"role": "user", "length": 15}


def test_a_call_begins_and_ends_under_one_id() -> None:
    call = {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"a": 1, "b": [2]}}
    start = event("PreToolUse", **call)
    end = event("PostToolUse", **call, tool_response="out", duration_ms=25)
    assert (start.call_id, start.phase) == (end.call_id, Phase.START) == ("t1", Phase.START)
    assert (end.phase, end.latency_ms) == (Phase.END, 25)
    assert start.tool is not None and end.tool is not None
    assert start.tool.args_hash == end.tool.args_hash is not None
    assert (end.tool.ok, end.tool.result_hash is None) == (True, False)
    reordered = event("PreToolUse", tool_name="Bash", tool_input={"b": [2], "a": 1})
    assert reordered.tool is not None and reordered.tool.args_hash == start.tool.args_hash


def test_a_failed_call_is_no_error_of_the_agent() -> None:
    made = event("PostToolUseFailure", tool_name="Bash", tool_use_id="t1", error="Exit code 2 " + "x" * 900)
    assert (made.type, made.is_failed_tool, made.turn) == (EventType.TOOL_CALL, True, Turn.OPEN)
    assert made.error is not None and len(made.error) == 300


def test_an_interrupted_call_ends_the_turn() -> None:
    assert event("PostToolUseFailure", tool_name="Bash", is_interrupt=True).turn is Turn.CLOSED


@pytest.mark.parametrize(
    ("name", "fields", "turn"),
    [
        ("PermissionRequest", {"tool_name": "Bash"}, Turn.WAITING),
        ("Notification", {"notification_type": "permission_prompt"}, Turn.WAITING),
        ("Notification", {"notification_type": "elicitation_dialog"}, Turn.WAITING),
        ("Notification", {"notification_type": "agent_needs_input"}, Turn.WAITING),
        ("Notification", {"message": "Claude needs your permission"}, Turn.WAITING),
        ("Notification", {"notification_type": "idle_prompt"}, Turn.CLOSED),
        ("Notification", {"notification_type": "elicitation_complete"}, Turn.OPEN),
        ("Notification", {"notification_type": "auth_success"}, None),
        ("Notification", {"notification_type": "agent_completed"}, None),
        ("PermissionDenied", {"tool_name": "Bash"}, Turn.OPEN),
        ("Elicitation", {}, Turn.WAITING),
        ("ElicitationResult", {}, Turn.OPEN),
        ("Stop", {}, Turn.CLOSED),
        ("StopFailure", {"error": "rate_limit"}, Turn.CLOSED),
        ("SessionEnd", {"reason": "other"}, Turn.CLOSED),
        ("SessionStart", {"source": "startup"}, Turn.CLOSED),
        ("SubagentStop", {}, None),
        ("SomethingNew", {}, None),
    ],
)
def test_where_the_turn_stands_after_a_hook(name: str, fields: dict[str, Any], turn: Turn | None) -> None:
    assert event(name, **fields).turn is turn


def test_a_failed_stop_is_the_error_that_the_log_tells_too() -> None:
    made = event("StopFailure", error="unknown", error_details="400 fake: bad request")
    assert (made.type, made.call_id, made.error) == (EventType.ERROR, "failure:p1", "400 fake: bad request")


def test_a_session_ends_as_stopped() -> None:
    assert event("SessionEnd", reason="logout").activity is Activity.STOPPED


def test_a_batch_repeats_what_its_calls_have_told() -> None:
    assert told("PostToolBatch", tool_calls=[]) is None


def test_what_is_not_known_is_a_hidden_sign_of_life() -> None:
    made = event("SomethingNew")
    assert (made.type, made.is_hidden, made.is_progress) == (EventType.HEARTBEAT, True, False)


@pytest.mark.parametrize("name", [
    "SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "TaskCreated", "TaskCompleted", "UserPromptExpansion",
    "MessageDisplay", "WorktreeCreate", "WorktreeRemove",
])  # fmt: skip
def test_work_beside_prompts_and_calls_is_hidden_progress(name: str) -> None:
    made = event(name)
    assert (made.is_progress, made.is_hidden, made.turn) == (True, True, None)


@pytest.mark.parametrize("name", [
    "Setup", "InstructionsLoaded", "ConfigChange", "CwdChanged", "DirectoryAdded", "FileChanged", "TeammateIdle",
])  # fmt: skip
def test_what_happens_around_a_session_is_no_progress(name: str) -> None:
    made = event(name)
    assert (made.is_progress, made.is_hidden, made.turn) == (False, True, None)


def test_a_subagent_neither_opens_nor_closes_the_turn() -> None:
    sub = {"agent_id": "a1", "tool_name": "Bash", "tool_use_id": "t1"}
    assert event("PreToolUse", Turn.CLOSED, **sub).turn is None
    assert event("Stop", Turn.OPEN, **sub).turn is None
    assert event("PermissionRequest", Turn.OPEN, **sub).turn is Turn.WAITING
    assert event("PostToolUse", Turn.WAITING, **sub).turn is Turn.OPEN


def test_only_an_agent_not_known_yet_is_described() -> None:
    facts = event("Stop", None).facts
    assert facts is not None
    assert (facts.name, facts.kind, facts.group) == ("Claude Code 0000abcd", "claude-code", "claude-code")
    assert event("Stop", Turn.OPEN).facts is None


@pytest.mark.parametrize("body", [None, [], {}, {"session_id": "s"}, {"hook_event_name": "Stop", "session_id": 7}])
def test_a_body_that_is_no_hook_is_refused(body: object) -> None:
    with pytest.raises(Invalid, match="Claude Code"):
        read_hook(body, None)


def test_a_session_id_too_long_to_be_one_is_refused() -> None:
    body = {"hook_event_name": "Stop", "session_id": "s" * 201}
    with pytest.raises(Invalid, match="session_id: 201 characters, at most 200"):
        read_hook(body, "named-by-its-url")
    assert read_hook(body | {"session_id": "s" * 200}, "named").agent_id == "named"


@pytest.mark.parametrize(
    "name", ["UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Notification", "StopFailure"]
)
@pytest.mark.parametrize("junk", [None, 7, -1.5, "x", True, [], {}, {"a": [None]}])
def test_fields_of_the_wrong_kind_never_raise(name: str, junk: Any) -> None:
    fields = ("prompt", "prompt_id", "tool_name", "tool_input", "tool_use_id", "tool_response", "error", "duration_ms",
              "notification_type", "agent_id", "is_interrupt")
    event(name, **dict.fromkeys(fields, junk))
