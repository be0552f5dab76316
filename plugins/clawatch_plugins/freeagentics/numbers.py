"""Numbers that agents have written, as the messages of this door carry them."""

from __future__ import annotations

from typing import Any


def number_of(value: Any) -> float | None:
    """None for what is no number, and for a whole one beyond a float's range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
