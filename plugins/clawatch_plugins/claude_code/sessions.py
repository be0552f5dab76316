"""What is remembered of sessions between requests. Bounded, and lost at a restart: it only sharpens."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
Session = tuple[str, str]
"""Agent and session: whoever reports another agent's session says nothing of that agent."""
Request = tuple[Session, str | None]
"""A request to the model."""
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


class Sessions:
    """Only what was accepted is remembered: whose reports they are is not known before."""

    def __init__(self) -> None:
        self.hooked: Recent[Session] = Recent()
        """Sessions whose hooks report. They know the turn exactly; logs only infer it."""
        self.working: Recent[Request] = Recent()
        """Requests to the model that were answered with a call of a tool, so that the turn goes on."""
