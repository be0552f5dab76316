"""A simulated session of Claude Code: hooks, and logs over OTLP, as it would send them.

Field names are those of https://code.claude.com/docs/en/hooks and …/monitoring-usage.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from clawatch_plugins.demo.doors import Doors

MODEL = "claude-opus-4-5"


class Session:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._session = str(uuid.uuid4())
        self._sequence = 0

    @property
    def id(self) -> str:
        return f"claude-code:{self._session}"

    async def begin(self) -> None:
        await self._hook("SessionStart", source="startup")

    async def prompt(self, text: str) -> bool:
        """Whether it may go on."""
        return not await self._hook("UserPromptSubmit", prompt=text, prompt_id=str(uuid.uuid4()))

    async def use(self, tool: str, **arguments: Any) -> bool:
        """Call a tool; whether it was let."""
        call = {"tool_name": tool, "tool_input": arguments, "tool_use_id": f"toolu_{uuid.uuid4().hex[:20]}"}
        if await self._hook("PreToolUse", **call):
            return False
        await self._hook("PostToolUse", **call, tool_response={"stdout": "done"})
        return True

    async def spend(self, usd: float) -> None:
        """A call of the model, told by a log record."""
        self._sequence += 1
        told = {
            "event.name": "api_request", "event.sequence": self._sequence, "session.id": self._session,
            "model": MODEL, "cost_usd": usd, "duration_ms": 2400, "input_tokens": 1800, "output_tokens": 420,
            "cache_read_tokens": 16000, "cache_creation_tokens": 0, "request_id": f"req_{uuid.uuid4().hex[:20]}",
            "query_source": "repl_main_thread",
        }
        await self._doors.export_logs(_request("claude_code.api_request", told))

    async def stop(self) -> None:
        """The turn is over."""
        await self._hook("Stop", stop_hook_active=False)

    async def _hook(self, name: str, **body: Any) -> dict[str, Any]:
        return await self._doors.hook(
            {"hook_event_name": name, "session_id": self._session, "cwd": "/srv/shop", **body}
        )


def _request(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """An ExportLogsServiceRequest in OTLP's JSON."""
    record = {
        "timeUnixNano": str(time.time_ns()), "body": {"stringValue": name}, "attributes": _attributes(attributes)
    }  # fmt: skip
    resource = {"service.name": "claude-code", "host.name": "laptop"}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [record]}
    return {"resourceLogs": [{"resource": {"attributes": _attributes(resource)}, "scopeLogs": [scope]}]}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
