"""What a check-up finds, in words, each with its remedy."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, and not as well or as safely as it could."""
    ERROR = "error"
    """Something is wrong."""


class Remark(Struct, frozen=True):
    level: Level
    text: str
    remedy: str = ""
    """What to do about it, as an order."""


def fine(text: str) -> Remark:
    return Remark(Level.OK, text)


def warning(text: str, remedy: str) -> Remark:
    return Remark(Level.WARNING, text, remedy)


def wrong(text: str, remedy: str) -> Remark:
    return Remark(Level.ERROR, text, remedy)
