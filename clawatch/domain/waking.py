"""A deadline that moves with everything that happens, watched with one wake at a time."""

from __future__ import annotations

from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Wake


class Alarm:
    """The one wake that a rule waits for. One that comes too early is set anew, so moving a deadline costs nothing."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: Millis | None = None

    def set(self, deadline: Millis, now: Moment, agent_id: str, subject: str = "") -> list[Wake]:
        """The wake to ask for; none where one is on its way that comes early enough.

        One that should have come has been lost: while a rule is disabled for an agent, nobody wakes it.
        """
        at = max(deadline, now.mono)
        if self._at is not None and now.mono <= self._at <= at:
            return []
        self._at = at
        return [Wake(mono=at, agent_id=agent_id, subject=subject)]

    def rings(self, wake: Wake) -> bool:
        """Whether this is the one that was waited for; then none is any more."""
        if wake.mono != self._at:
            return False
        self._at = None
        return True
