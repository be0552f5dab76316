"""The table: what was measured, beside what it has to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Row:
    what: str
    figures: tuple[float, ...]
    """One for each round."""
    unit: str
    floor: str = ""
    goal: str = ""

    @property
    def middle(self) -> float:
        return median(self.figures)


def median(figures: Sequence[float]) -> float:
    ordered = sorted(figures)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(figures: Sequence[float], percent: float) -> float:
    """The smallest figure that so many percent do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def show(rows: Sequence[Row]) -> str:
    """As Markdown."""
    lines = ["| what | measured | rounds | floor | goal |", "|---|---|---|---|---|"]
    for row in rows:
        rounds = ", ".join(_short(figure) for figure in row.figures)
        lines.append(f"| {row.what} | **{_short(row.middle)}** {row.unit} | {rounds} | {row.floor} | {row.goal} |")
    return "\n".join(lines)


def _short(figure: float) -> str:
    if figure >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"
