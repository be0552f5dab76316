"""Claude Code's hooks (https://code.claude.com/docs/en/hooks) as events, each by a line of the table.

Hooks know what telemetry does not: where a turn begins, waits and ends, and a call's arguments before it runs.
Of arguments and results only hashes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clawatch.apis.attributes import number, text
from clawatch.domain.events import Activity, Event, EventType, Facts, Phase, Signal, Tool, Turn
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis
from clawatch.ports import Invalid
from clawatch_plugins.claude_code.identity import (
    HOOKS_SOURCE,
    KIND,
    MAX_SESSION_ID,
    agent_of,
    call_of_failure,
    call_of_prompt,
    name_of,
)

Body = Mapping[str, Any]
_MAX_ERROR = 300
"""Characters of a failed call's error; what it printed may follow, and that is nobody's business."""


class Hook(Struct, frozen=True, kw_only=True):
    """One call of a hook, as far as it is understood."""

    name: str
    agent_id: str
    session_id: str
    body: Body

    @property
    def is_subagent(self) -> bool:
        """It was run by a subagent, which may go on after the turn has ended."""
        return text(self.body, "agent_id") is not None


def read_hook(body: Any, agent_id: str | None) -> Hook:
    """The hook that a body tells of. Raises Invalid when it is none."""
    if not isinstance(body, dict):
        raise Invalid("the body must be the JSON object that Claude Code gives its hooks")
    name, session = text(body, "hook_event_name"), text(body, "session_id")
    if name is None or session is None:
        raise Invalid("the body must have hook_event_name and session_id, as Claude Code sends them")
    if len(session) > MAX_SESSION_ID:
        raise Invalid(f"session_id: {len(session)} characters, at most {MAX_SESSION_ID} are allowed")
    return Hook(name=name, agent_id=agent_id or agent_of(session), session_id=session, body=body)


def map_hook(hook: Hook, at: Millis, turn: Turn | None) -> Event | None:
    """The event a hook stands for; None when another hook tells the same.

    ``turn`` is where the agent's turn stands as far as is known; None for an agent not known yet.
    """
    if hook.name in _REPEATS:
        return None
    event = _TABLE.get(hook.name, _sign_of_life)(_blank(hook, at, is_new=turn is None), hook.body)
    return _within_turn(event, turn) if hook.is_subagent else event


def refused(event: Event) -> Event:
    """The event of a hook that was answered with a refusal: no work, and no turn that it would open."""
    tool = None if event.tool is None else replace(event.tool, is_blocked=True)
    turn = Turn.CLOSED if event.type is EventType.MESSAGE else None
    return replace(event, tool=tool, turn=turn, is_progress=False, data={**event.data, "refused": True})


def _blank(hook: Hook, at: Millis, is_new: bool) -> Event:
    return Event(
        agent_id=hook.agent_id,
        type=EventType.HEARTBEAT,
        at=at,
        session_id=hook.session_id,
        signal=Signal.HOOK,
        source=HOOKS_SOURCE,
        facts=_facts(hook) if is_new else None,  # telemetry knows better, and is not to be overwritten
    )


def _facts(hook: Hook) -> Facts:
    is_named = hook.agent_id != agent_of(hook.session_id)
    return Facts(name=hook.agent_id if is_named else name_of(hook.session_id), kind=KIND, group=KIND)


def _within_turn(event: Event, turn: Turn | None) -> Event:
    """A subagent neither begins nor ends the turn; it waits for a human, or shows that the wait is over."""
    if event.turn is Turn.WAITING and turn is Turn.OPEN:
        return event
    return replace(event, turn=Turn.OPEN if turn is Turn.WAITING and event.turn is Turn.OPEN else None)


def _session_start(event: Event, body: Body) -> Event:
    data = _data(status="idle", reason=text(body, "source"))
    return replace(event, type=EventType.STATUS_CHANGE, activity=Activity.IDLE, turn=Turn.CLOSED, data=data)


def _session_end(event: Event, body: Body) -> Event:
    data = _data(status="stopped", reason=text(body, "reason"))
    return replace(event, type=EventType.STATUS_CHANGE, activity=Activity.STOPPED, turn=Turn.CLOSED, data=data)


def _user_prompt(event: Event, body: Body) -> Event:
    prompt = body.get("prompt")
    return replace(
        event,
        type=EventType.MESSAGE,
        call_id=call_of_prompt(text(body, "prompt_id")),
        data=_data(role="user", length=len(prompt) if isinstance(prompt, str) else None),
        turn=Turn.OPEN,
    )


def _tool_start(event: Event, body: Body) -> Event:
    return _tool_call(event, body, Phase.START)


def _tool_end(event: Event, body: Body) -> Event:
    return _tool_call(event, body, Phase.END, ok=True, result=body.get("tool_response"))


def _tool_failure(event: Event, body: Body) -> Event:
    was_interrupted = body.get("is_interrupt") is True
    event = _tool_call(event, body, Phase.END, ok=False, result=body.get("error"))
    return replace(
        event,
        error=(text(body, "error") or "the tool failed")[:_MAX_ERROR],
        turn=Turn.CLOSED if was_interrupted else Turn.OPEN,
    )


def _tool_call(event: Event, body: Body, phase: Phase, ok: bool | None = None, result: Any = None) -> Event:
    return replace(
        event,
        type=EventType.TOOL_CALL,
        call_id=text(body, "tool_use_id"),
        phase=phase,
        tool=Tool(
            name=text(body, "tool_name") or "tool",
            args_hash=hash_value(body["tool_input"]) if "tool_input" in body else None,
            result_hash=None if result is None else hash_value(result),
            ok=ok,
        ),
        latency_ms=number(body, "duration_ms"),
        turn=Turn.OPEN,
    )


def _permission_request(event: Event, body: Body) -> Event:
    return _waiting(event, "permission", text(body, "tool_name"))


def _notification(event: Event, body: Body) -> Event:
    kind = text(body, "notification_type")
    if kind == "idle_prompt":
        return replace(event, turn=Turn.CLOSED, is_hidden=True)
    if kind == "elicitation_complete":
        return _resumed(event, body)
    if kind is None or kind in _WAITS:
        return _waiting(event, kind or "notification", None)
    return _sign_of_life(event, body)


def _waiting(event: Event, why: str, tool: str | None) -> Event:
    data = _data(status="waiting", reason=why, tool=tool)
    return replace(event, type=EventType.STATUS_CHANGE, turn=Turn.WAITING, data=data)


def _resumed(event: Event, body: Body) -> Event:
    return replace(event, turn=Turn.OPEN, is_hidden=True)


def _stop(event: Event, body: Body) -> Event:
    return replace(event, type=EventType.STATUS_CHANGE, turn=Turn.CLOSED, data=_data(status="idle"))


def _stop_failure(event: Event, body: Body) -> Event:
    return replace(
        event,
        type=EventType.ERROR,
        call_id=call_of_failure(text(body, "prompt_id")),
        error=text(body, "error_details", "error") or "the turn failed",
        data=_data(reason=text(body, "error")),
        turn=Turn.CLOSED,
    )


def _work(event: Event, body: Body) -> Event:
    return replace(event, is_hidden=True)


def _sign_of_life(event: Event, body: Body) -> Event:
    return replace(event, is_progress=False, is_hidden=True)


_TABLE: dict[str, Callable[[Event, Body], Event]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _user_prompt,
    "PreToolUse": _tool_start,
    "PostToolUse": _tool_end,
    "PostToolUseFailure": _tool_failure,
    "PermissionRequest": _permission_request,
    "PermissionDenied": _resumed,
    "Notification": _notification,
    "Elicitation": _permission_request,
    "ElicitationResult": _resumed,
    "Stop": _stop,
    "StopFailure": _stop_failure,
    "SubagentStart": _work,
    "SubagentStop": _work,
    "PreCompact": _work,
    "PostCompact": _work,
    "TaskCreated": _work,
    "TaskCompleted": _work,
    "UserPromptExpansion": _work,
    "MessageDisplay": _work,
    "WorktreeCreate": _work,
    "WorktreeRemove": _work,
    "Setup": _sign_of_life,
    "InstructionsLoaded": _sign_of_life,
    "ConfigChange": _sign_of_life,
    "CwdChanged": _sign_of_life,
    "DirectoryAdded": _sign_of_life,
    "FileChanged": _sign_of_life,
    "TeammateIdle": _sign_of_life,
    "SessionEnd": _session_end,
}
"""What is not in it, newer hooks, is a sign of life and nothing else."""
_REPEATS = frozenset({"PostToolBatch"})
"""Tell what ``PostToolUse`` has told."""
_WAITS = frozenset({"permission_prompt", "elicitation_dialog", "agent_needs_input"})


def _data(**told: str | int | None) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}
