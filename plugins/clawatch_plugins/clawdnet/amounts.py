"""Amounts of money as ClawdNet writes them: decimal numbers in strings, exact both ways."""

from __future__ import annotations

import re

from clawatch.domain.money import NANOS_PER_USD, Nanos

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def is_amount(text: str) -> bool:
    """Whether it is a decimal number, to the billionth at most and below a billion."""
    return _AMOUNT.fullmatch(text) is not None


def written(amount: Nanos) -> str:
    """``2.45``: at least two decimals, and as many more as it has."""
    dollars, rest = divmod(amount, NANOS_PER_USD)
    return f"{dollars}.{f'{rest:09}'.rstrip('0'):0<2}"
