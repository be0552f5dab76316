"""What a door allows on its WebSockets, the codes it closes with, and its own counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from aiohttp import web

from clawatch.apis.bodies import decode_json
from clawatch.apis.callers import client_of
from clawatch.apis.envelopes import Refused
from clawatch.apis.limits import Buckets, counted_address
from clawatch.apis.routes import Problem
from clawatch.domain.access import Principal
from clawatch.settings import RateLimit


@dataclass(frozen=True)
class Closing:
    """A WebSocket close code and its reason (at most 120 bytes)."""

    code: int
    reason: str = ""

    @property
    def sendable(self) -> int:
        """The code that may stand in a close frame: 1005, 1006 and 1015 never do (RFC 6455 §7.4.1)."""
        return 1000 if self.code in (1005, 1006, 1015) else self.code


@dataclass(frozen=True)
class Codec:
    """How a door writes its frames."""

    decode: Callable[[str | bytes], Any] = decode_json
    """Raises a ClaWatchError (``Refused``) for what is malformed; the client is told, the connection stays."""
    encode: Callable[[Any], str | bytes] = lambda message: msgspec.json.encode(message).decode()
    refuse: Callable[[Problem], Any] = lambda problem: {"type": "error", "error": problem.message}
    """A refusal as a message of this door; None says nothing. Codes: ``unauthenticated``, ``rate_limited``,
    ``too_many_connections``, and those of ``decode``."""
    token: Callable[[Any], str | None] | None = None
    """The key or token in a first message; None where this door takes none there."""


def token_of_auth(message: Any) -> str | None:
    """The token of ``{"type": "auth", "token": ...}``."""
    if not isinstance(message, dict) or message.get("type") != "auth":
        return None
    token = message.get("token")
    return token if isinstance(token, str) else None


@dataclass(frozen=True, kw_only=True)
class SocketLimits:
    """A door's numbers, in seconds and bytes; None: no limit. Make one per door: the counters live in it."""

    auth_within: float = 10.0
    unknown: int = 256
    """Connections that have not said yet who they are; beyond, the oldest go, as unfinished requests do."""
    unknown_per_address: int = 64
    patience: float = 1.0
    """Younger ones stay: honest clients say it at once."""
    idle_after: float | None = None
    """Without a message or ping from the client. Its answers to our pings do not count."""
    ping_every: float | None = 30.0
    """The connection is cut when no answer comes within half of this."""
    recheck_every: float = 5.0
    """How often a key is checked again, so that a revoked one does not stay connected."""
    max_frame: int = 64 * 1024
    queue_frames: int = 1_000
    queue_bytes: int = 4 * 1024 * 1024
    messages: RateLimit | None = None
    """From one connection."""
    per_user: int | None = None
    per_address: int | None = None
    connects: RateLimit | None = None
    """New connections from one address."""

    unauthenticated: Closing = Closing(1008, "authentication failed")
    crowded: Closing = Closing(1008, "too many connections")
    slow: Closing = Closing(4008, "too slow a reader")
    idle: Closing = Closing(1001, "idle too long")
    counters: Counters = field(default_factory=lambda: Counters(), compare=False, repr=False)

    def closing_for(self, problem: Problem) -> Closing:
        return self.unauthenticated if problem.status == 401 else self.crowded


class Countable(Protocol):
    """A session, as far as it is counted."""

    received: int
    request: web.Request

    @property
    def sent(self) -> int: ...

    @property
    def age(self) -> float: ...

    def end(self, closing: Closing) -> None: ...


@dataclass(frozen=True)
class Totals:
    """What there has been on a door's WebSockets since it was opened."""

    opened: int
    open: int
    received: int
    """Messages."""
    sent: int
    refused: int
    """Messages, logins and connections."""
    ended_seconds: float
    """How long those that have ended were open, together."""
    open_seconds: float
    """How long those that are open have been so, together."""

    @property
    def mean_seconds(self) -> float | None:
        """How long a connection lasts, those included that go on."""
        return (self.ended_seconds + self.open_seconds) / self.opened if self.opened else None


class Counters:
    """Who is connected through one door, and what there has been on it."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        """By the code of the refusal."""
        self._opened = self._received = self._sent = 0
        self._seconds = 0.0
        self._sessions: set[Countable] = set()
        self._unknown: dict[Countable, str] = {}
        """Those that have not said yet who they are, and from where; the oldest first."""
        self.by_user: Counter[str] = Counter()
        self.by_address: Counter[str] = Counter()
        self._connects: Buckets | None = None

    @property
    def open(self) -> int:
        """Connections there are, those that have not authenticated yet included."""
        return self.by_address.total()

    def totals(self) -> Totals:
        return Totals(
            opened=self._opened,
            open=len(self._sessions),
            received=self._received + sum(session.received for session in self._sessions),
            sent=self._sent + sum(session.sent for session in self._sessions),
            refused=self.refused.total(),
            ended_seconds=self._seconds,
            open_seconds=sum(session.age for session in self._sessions),
        )

    def open_for(self, session: Countable) -> None:
        """It has been accepted; ``close_for`` when its last byte was sent."""
        self._opened += 1
        self._sessions.add(session)

    def close_for(self, session: Countable) -> None:
        self._sessions.discard(session)
        self._received += session.received
        self._sent += session.sent
        self._seconds += session.age

    @contextmanager
    def asking(self, session: Countable, limits: SocketLimits) -> Iterator[None]:
        """While we wait to hear who it is."""
        self._unknown[session] = counted_address(client_of(session.request))
        self._crowd_out(limits)
        try:
            yield
        finally:
            del self._unknown[session]

    def _crowd_out(self, limits: SocketLimits) -> None:
        oldest = next(iter(self._unknown))
        if len(self._unknown) <= min(limits.unknown, limits.unknown_per_address) or oldest.age < limits.patience:
            return
        left, by_address = len(self._unknown), Counter(self._unknown.values())
        for session, address in self._unknown.items():
            if session.age < limits.patience:
                break
            if left > limits.unknown or by_address[address] > limits.unknown_per_address:
                session.end(limits.crowded)
                left, by_address[address] = left - 1, by_address[address] - 1

    def admit(self, request: web.BaseRequest, limits: SocketLimits) -> _Counted:
        """Count a connection by its address while the context lasts. Raises Refused when there are too many."""
        address = counted_address(client_of(request))
        if limits.per_address is not None and self.by_address[address] >= limits.per_address:
            raise _crowded("address", limits.per_address)
        if limits.connects is not None:
            self._count_connect(address, limits.connects)
        return _Counted(self.by_address, address)

    def admit_user(self, principal: Principal, limits: SocketLimits) -> _Counted:
        """Count a connection by its user while the context lasts. Raises Refused when there are too many."""
        if limits.per_user is not None and self.by_user[principal.user] >= limits.per_user:
            raise _crowded("user", limits.per_user)
        return _Counted(self.by_user, principal.user)

    def _count_connect(self, address: str, rate: RateLimit) -> None:
        self._connects = self._connects or Buckets(rate)
        wait = self._connects.take(address, int(asyncio.get_running_loop().time() * 1000))
        if wait:
            raise Refused(429, "too many new connections from this address", "too_many_connections",
                          {"limit": rate.times, "per": "address", "retry_after": wait})


class _Counted:
    """One more of this name, as long as the context lasts. No generator: each would be half a kilobyte a client."""

    __slots__ = ("_counter", "_name")

    def __init__(self, counter: Counter[str], name: str) -> None:
        self._counter = counter
        self._name = name

    def __enter__(self) -> None:
        self._counter[self._name] += 1

    def __exit__(self, *error: object) -> None:
        self._counter[self._name] -= 1
        if not self._counter[self._name]:
            del self._counter[self._name]


def _crowded(per: str, limit: int) -> Refused:
    return Refused(429, f"at most {limit} connections per {per}", "too_many_connections", {"limit": limit, "per": per})
