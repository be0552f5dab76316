"""Ids that sort by time of making and cannot be guessed."""

from __future__ import annotations

import secrets

from clawatch.domain.time import Millis

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case."""


def new_id(prefix: str, now: Millis) -> str:
    """``prefix_`` and 20 characters: 50 bits of time, 50 random ones."""
    return f"{prefix}_{_base32(now, 10)}{_base32(secrets.randbits(50), 10)}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
