"""Money is an int inside: nano-dollars, so that sums are exact."""

from __future__ import annotations

import math

Nanos = int
"""Billionths of a US dollar."""

NANOS_PER_USD = 1_000_000_000
_LARGEST_USD = 1_000_000


def nanos(usd: float) -> Nanos:
    """Dollars as nano-dollars. Raises ValueError unless it is finite and 0 ≤ usd ≤ 10⁶.

    No single report is dearer than that, and sums of them stay far from the 64 bits a store has.
    """
    if not math.isfinite(usd) or not 0 <= usd <= _LARGEST_USD:
        raise ValueError("a cost must be a finite number of dollars from 0 to 1,000,000")
    return round(usd * NANOS_PER_USD)


def usd(amount: Nanos) -> float:
    """Nano-dollars as dollars, for JSON."""
    return amount / NANOS_PER_USD


def say_usd(amount: Nanos) -> str:
    """Nano-dollars for people: cents, or four digits below a dime."""
    dollars = usd(amount)
    return f"${dollars:,.2f}" if dollars == 0 or dollars >= 0.1 else f"${dollars:.4f}"
