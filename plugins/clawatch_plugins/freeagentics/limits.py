"""How much a client may do: the contract's two sets of figures, and the count of one connection's messages."""

from __future__ import annotations

from typing import Literal, NamedTuple

from clawatch.apis.socket_limits import Closing, SocketLimits
from clawatch.domain.time import MINUTE, Millis
from clawatch.settings import RateLimit

IDLE_AFTER = 300.0
"""Seconds without a word from the client; the contract's clients ping every 30 s."""
RECHECK_EVERY = 5.0
"""Seconds between two looks at whether a client's token is still good."""
WARN_AT = 0.95
"""The share of the allowance at which a client is warned."""


class Allowance(NamedTuple):
    per_user: int
    """Connections; so is the next."""
    per_address: int
    connects: RateLimit
    """New connections from one address."""
    messages: int
    """A minute, from one connection."""
    types: int
    """Of events, to which one connection may subscribe."""
    message_bytes: int


ALLOWANCES: dict[Literal["production", "development"], Allowance] = {
    "production": Allowance(5, 20, RateLimit(10, MINUTE), 100, 20, 64 * 1024),
    # The contract names no rate of connecting for development: all there may be can be opened at once.
    "development": Allowance(10, 50, RateLimit(50, MINUTE), 200, 50, 128 * 1024),
}


def socket_limits(allowance: Allowance) -> SocketLimits:
    """Messages are left to ``Messages``, which knows how much has been used."""
    return SocketLimits(
        idle_after=IDLE_AFTER,
        recheck_every=RECHECK_EVERY,
        max_frame=allowance.message_bytes,
        per_user=allowance.per_user,
        per_address=allowance.per_address,
        connects=allowance.connects,
        slow=Closing(1013, "too slow a reader"),  # 1008 would have the contract's clients fetch a new token
    )


class Messages:
    """The messages of one connection in the last minute. Instants are monotonic milliseconds."""

    __slots__ = ("_taken", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: list[Millis] = []  # a deque takes room for 64 from the beginning

    def take(self, mono: Millis) -> bool:
        """Count a message; False, and it is not counted, when there have been too many."""
        while self._taken and self._taken[0] <= mono - MINUTE:
            del self._taken[0]
        if len(self._taken) >= self.limit:
            return False
        self._taken.append(mono)
        return True

    @property
    def used(self) -> int:
        return len(self._taken)

    @property
    def is_nearly_used_up(self) -> bool:
        """True at exactly one message, the one at which to warn."""
        return self.used == int(self.limit * WARN_AT)

    def until_room(self, mono: Millis) -> Millis:
        """How long until the oldest counted message is a minute old."""
        return max(self._taken[0] + MINUTE - mono, 0) if self._taken else 0
