"""What an agent can report, each as the event it stands for."""

from __future__ import annotations

import math
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
        told = {"toolName": str(name), "arguments": arguments, "result": result, "ok": bool(ok)}
        self.event("tool_call", {**data, **told, "durationMs": _amount(duration_ms)}, call_id=call_id)

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
            "costUsd": _amount(usd),
            "model": model and str(model),
            "inputTokens": _amount(input_tokens),
            "outputTokens": _amount(output_tokens),
            "cacheReadTokens": _amount(cache_read_tokens),
            "cacheWriteTokens": _amount(cache_write_tokens),
            "tokenCount": _amount(tokens),
        }
        self.event("cost", {**data, **told}, call_id=call_id)

    def message(self, text: str, **data: Any) -> None:
        """Something that was said to or by the agent."""
        self.event("message", {**data, "message": str(text)})

    def status(self, status: str, reason: str | None = None, **data: Any) -> None:
        """``running, idle, paused, stopped, error`` or ``pending``."""
        self.event("status_change", {**data, "status": status, "reason": reason})


def _amount(value: Any) -> int | float | None:
    """A number that the server takes; anything else is left out, for one odd figure must not cost the event."""
    if value is None or isinstance(value, int):
        return value if value is None or value >= 0 else None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < math.inf else None
