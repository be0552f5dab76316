"""What an agent can report, each as the event it stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from clawatch.client.events import say_error


class Reports(ABC):
    @abstractmethod
    def event(
        self,
        type: str,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        call_id: str | None = None,
        phase: str | None = None,
        session: str | None = None,
    ) -> None:
        """Any event; what is None in ``data`` is left out. Never raises."""

    def heartbeat(self, message: str | None = None) -> None:
        """The agent itself says that it gets on; this counts as progress."""
        self.event("heartbeat", {"progress": True, "message": message})

    def tool_call(
        self,
        name: str,
        arguments: Any = None,
        result: Any = None,
        ok: bool = True,
        duration_ms: float | None = None,
        *,
        call_id: str | None = None,
        **data: Any,
    ) -> None:
        """A tool was called. Equal arguments (and results) again and again are how a loop is noticed."""
        told = {"toolName": name, "arguments": arguments, "result": result, "ok": bool(ok), "durationMs": duration_ms}
        self.event("tool_call", {**data, **told}, call_id=call_id)

    def error(self, message: object, **data: Any) -> None:
        """Something went wrong; ``message`` is text or an exception."""
        said = say_error(message) if isinstance(message, BaseException) else str(message)
        self.event("error", {**data, "error": said})

    def cost(
        self,
        usd: float | None = None,
        model: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        *,
        tokens: int | None = None,
        call_id: str | None = None,
        **data: Any,
    ) -> None:
        """Money or tokens were used. ``input_tokens`` includes cached ones; without ``usd`` the server prices them."""
        told = {
            "costUsd": usd,
            "model": model,
            "inputTokens": input_tokens,
            "outputTokens": output_tokens,
            "cacheReadTokens": cache_read_tokens,
            "cacheWriteTokens": cache_write_tokens,
            "tokenCount": tokens,
        }
        self.event("cost", {**data, **told}, call_id=call_id)

    def message(self, text: str, **data: Any) -> None:
        """Something that was said to or by the agent."""
        self.event("message", {**data, "message": text})

    def status(self, status: str, reason: str | None = None, **data: Any) -> None:
        """``running, idle, paused, stopped, error`` or ``pending``."""
        self.event("status_change", {**data, "status": status, "reason": reason})
