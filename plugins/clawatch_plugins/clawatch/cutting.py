"""What is kept of large values: a piece for people to read, never half a secret."""

from __future__ import annotations

from typing import Any

import msgspec

from clawatch.domain.redaction import Redactor

ARGUMENT_LIMIT = 2_000
"""Characters kept of arguments and results; what rules compare is their hash."""
VALUE_LIMIT = 8_000
"""Characters kept of any other value."""
DATA_LIMIT = 64 * 1024
"""Bytes of an event's data after cutting."""
MAX_DEPTH = 50
_BACK = 200
"""How far a cut looks back for a gap between words."""

_REDACTOR = Redactor()


def cut_argument(value: Any) -> Any:
    """Arguments or a result as they are kept: at most ``ARGUMENT_LIMIT`` characters, redacted before they are cut.

    What is kept whole, Ingest redacts like everything else.
    """
    if cut(value, ARGUMENT_LIMIT) is value:
        return value
    return cut(_REDACTOR.value(value), ARGUMENT_LIMIT)


def cut(value: Any, limit: int) -> Any:
    """The value itself when its JSON fits the limit, else the beginning of it as text."""
    if isinstance(value, str):
        return value if len(value) <= limit else cut_text(_REDACTOR.text(value), limit)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = msgspec.json.encode(value)
    return value if len(text) <= limit else cut_text(text.decode(), limit)


def cut_text(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut between words where there is a gap, so that no word becomes another one."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    gap = head.rfind(" ", limit - _BACK)
    return f"{head[:gap] if gap > 0 else head}…"


def shrink(data: dict[str, Any]) -> dict[str, Any]:
    """Data with its large values cut. Raises ValueError when that does not help."""
    smaller = {key: cut(value, VALUE_LIMIT) for key, value in data.items()}
    size = len(msgspec.json.encode(smaller))
    if size > DATA_LIMIT:
        raise ValueError(f"data: {size} bytes, at most {DATA_LIMIT} are kept")
    return smaller


def is_deep(value: Any, allowed: int = MAX_DEPTH) -> bool:
    """Whether lists and objects are nested deeper than anything that comes after could walk."""
    if isinstance(value, dict):
        return allowed == 0 or any(is_deep(one, allowed - 1) for one in value.values())
    if isinstance(value, list):
        return allowed == 0 or any(is_deep(one, allowed - 1) for one in value)
    return False
