"""Remembering a bounded number of things. Public."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
_CAPACITY = 4096


class Recent(Generic[T]):
    """A set that forgets its oldest members."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._members: dict[T, None] = {}

    def add(self, member: T) -> bool:
        """Whether it was not there yet."""
        is_new = self._members.pop(member, self) is self
        self._members[member] = None
        if len(self._members) > self._capacity:
            del self._members[next(iter(self._members))]
        return is_new

    def __contains__(self, member: T) -> bool:
        return member in self._members
