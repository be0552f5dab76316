"""Attributes of telemetry, read by key. Public.

Clients write numbers and booleans as strings, leave values out or send nonsense; each function gives a plain
value of its type, or None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from clawatch.domain.money import Nanos, nanos

MAX_TEXT = 2_000
MAX_COUNT = 1_000_000_000_000
"""No single report counts more tokens, bytes or milliseconds than this."""

_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?")


def text(attributes: Mapping[str, Any], *keys: str) -> str | None:
    """The first of the keys that holds a text with something in it, cut at MAX_TEXT."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return value[:MAX_TEXT]
    return None


def number(attributes: Mapping[str, Any], key: str) -> float | None:
    """A finite number of 0 or more, perhaps written as a string."""
    value = attributes.get(key)
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_COUNT and math.isfinite(value) else None


def count(attributes: Mapping[str, Any], key: str) -> int | None:
    """A whole number from 0 to MAX_COUNT, perhaps written as a string."""
    told = attributes.get(key)
    if told is None or (type(told) is int and 0 <= told <= MAX_COUNT):
        return told  # mostly, and told in no time
    value = number(attributes, key)
    return None if value is None or value > MAX_COUNT else round(value)


def flag(attributes: Mapping[str, Any], key: str) -> bool | None:
    """A boolean, perhaps written as ``"true"`` or ``"false"``."""
    value = attributes.get(key)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def dollars(value: Any) -> Nanos | None:
    """A number of dollars as nano-dollars; None when it is none, or beyond belief."""
    if value is None:
        return None
    amount = number({"": value}, "")
    try:
        return None if amount is None else nanos(amount)
    except ValueError:
        return None
