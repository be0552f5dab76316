"""What all of it is made of."""

from __future__ import annotations

from msgspec import Struct


class Wire(Struct, kw_only=True, rename="camel"):
    """Base of everything here."""


class Total(Wire):
    total: int


class Done(Wire):
    ok: bool = True


class Refusal(Wire):
    error: str
