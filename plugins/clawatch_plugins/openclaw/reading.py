"""Values that others wrote, read without trust: a plain value of the type asked for, or what stands for none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clawatch.apis.attributes import count
from clawatch.domain.time import LATEST, Millis, parse_iso

Told = Mapping[str, Any]
NOTHING: Told = {}
_SECONDS = 100_000_000_000
"""An instant below this is told in seconds: in milliseconds it would lie in the first years after 1970."""


def decode(raw: bytes | str) -> Told | None:
    """The JSON object in it; None when there is none."""
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def table(told: Told, key: str) -> Told:
    value = told.get(key)
    return value if isinstance(value, dict) else NOTHING


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


def instant(told: Told, *keys: str) -> Millis | None:
    """The first moment under one of the keys, written as a number or in ISO 8601."""
    for key in keys:
        value = told.get(key)
        if isinstance(value, str) and len(value) <= 40:
            try:
                return parse_iso(value)
            except (ValueError, OverflowError):
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LATEST:
            return round(value * 1000 if value < _SECONDS else value)
    return None


def whole(told: Told, key: str) -> int:
    """A count of 0 or more; 0 when there is none."""
    return count(told, key) or 0
