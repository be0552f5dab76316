"""The way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from clawatch.domain.access import Principal
from clawatch.domain.events import Event


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a batch. ``rejected``: (index, why)."""

    accepted: int
    duplicates: int
    rejected: tuple[tuple[int, str], ...] = ()
    forbidden: bool = False
    """Every rejection was for lack of rights."""


class IngestPort(Protocol):
    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        """Store events durably. They are visible in queries when this returns.

        Raises StoreUnavailable when they could not be stored; nothing was then.
        """
        ...
