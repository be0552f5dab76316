"""Tool calls as a transcript and the gateway tell them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from clawatch.apis.attributes import number
from clawatch.apis.transcripts import MAX_ERROR
from clawatch.domain.events import Event, EventType, Phase, Tool, Turn
from clawatch.domain.hashing import hash_value
from clawatch_plugins.openclaw.calls import Calls
from clawatch_plugins.openclaw.identity import MAX_ID
from clawatch_plugins.openclaw.reading import Told, items, table, word

_FAILED = frozenset({"failed", "error", "timeout", "killed"})
_VARYING = frozenset({"durationMs", "pid", "cwd", "startedAt", "endedAt", "sessionId", "processId"})
"""What differs between two results that are otherwise the same."""


def tool_started(calls: Calls, blank: Event, block: Told, index: int = 0) -> Event:
    """A call that a model has asked for: ``{"type": "toolCall", "id", "name", "arguments"}``."""
    name, entry = word(block, "name") or "tool", blank.id or ""
    args = block.get("arguments")
    call = calls.begin(
        blank.agent_id, blank.session_id or "", word(block, "id", limit=MAX_ID) or f"{entry}/{index}", entry, name,
        None if args is None else hash_value(args), blank.at,
    )
    return replace(
        blank,
        id=None,  # several may come of one entry
        type=EventType.TOOL_CALL,
        call_id=call.call_id,
        phase=Phase.START,
        tool=Tool(name=name, args_hash=call.args_hash),
        turn=Turn.OPEN,
    )


def tool_ended(calls: Calls, blank: Event, message: Told) -> Event:
    """A call's result: ``{"toolCallId", "toolName", "content", "details", "isError"}``."""
    told_id = word(message, "toolCallId", limit=MAX_ID)
    call = calls.find(blank.agent_id, blank.session_id or "", told_id)
    details = table(message, "details")
    is_blocked = details.get("status") == "blocked" or bool(word(details, "deniedReason"))
    error = _error(message, details, is_blocked)
    waited = None if call is None or not call.at else float(max(0, blank.at - call.at))
    return replace(
        blank,
        type=EventType.TOOL_CALL,
        call_id=call.call_id if call else told_id or None,
        phase=Phase.END,
        tool=Tool(
            name=word(message, "toolName") or (call.name if call else "tool"),
            args_hash=call.args_hash if call else None,
            result_hash=result_hash(message),
            ok=error is None,
            is_blocked=is_blocked,
        ),
        error=error,
        latency_ms=number(details, "durationMs") or waited,
        turn=Turn.OPEN,
    )


def result_hash(message: Told) -> str | None:
    """Equal for results that say the same, however long they took."""
    details = {key: value for key, value in table(message, "details").items() if key not in _VARYING}
    content = message.get("content")
    return None if content is None and not details else hash_value([content, details])


def _error(message: Told, details: Told, is_blocked: bool) -> str | None:
    """Why the call failed; None when it did not. A command that fails says so by its exit code alone."""
    if is_blocked:
        return f"blocked: {word(details, 'deniedReason') or 'refused'}"
    if message.get("isError") is True:
        return _first_text(message) or "the tool failed"
    if details.get("timedOut") is True:
        return "timed out"
    code = details.get("exitCode")
    if isinstance(code, int) and not isinstance(code, bool) and code:
        return f"exit code {code}"[:MAX_ERROR]
    status = word(details, "status")
    return f"the tool reports {status}" if status in _FAILED else None


def _first_text(message: Told) -> str:
    blocks: list[Any] = items(message, "content")
    texts = [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]
    return texts[0][:MAX_ERROR] if texts else ""
