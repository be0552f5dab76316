"""Values that others wrote, read without trust: a plain value of the type asked for, or what stands for none."""

from __future__ import annotations

from typing import Any

import msgspec

from clawatch.apis.attributes import count
from clawatch.apis.transcripts import Entry, instant, table

__all__ = ["Told", "decode", "instant", "items", "table", "whole", "word"]

Told = Entry


def decode(raw: bytes | str) -> dict[str, Any] | None:
    """The JSON object in it; None when there is none."""
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def items(told: Told, key: str) -> list[Any]:
    value = told.get(key)
    return value if isinstance(value, list) else []


def word(told: Told, *keys: str, limit: int = 200) -> str:
    """The first text under one of the keys, cut; empty when there is none."""
    for key in keys:
        value = told.get(key)
        if isinstance(value, str) and value:
            return value[:limit]
    return ""


def whole(told: Told, key: str) -> int:
    """A count of 0 or more; 0 when there is none."""
    return count(told, key) or 0
