"""The intake: deadlines and caps for connections that have not finished saying what they want.

A client that has said nothing yet, half a head or half a body costs memory and a descriptor, and nothing is
known of it but its address. So it gets so much time, and there may be so many; beyond, the oldest go, since
honest clients finish in no time. Idle connections between two requests are not unfinished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from clawatch.apis.routes import Problem
from clawatch.web.counters import Counters
from clawatch.web.ration import Ration

TOO_SLOW = Problem(408, "The request took too long to arrive", "too_slow", headers={"Connection": "close"})
CROWDED = Problem(
    503, "Too many unfinished requests; try again soon", "crowded", headers={"Retry-After": "1", "Connection": "close"}
)


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """In seconds, bytes and connections."""

    head: float = 10.0
    """To a whole head."""
    body: float = 30.0
    """To a whole body, and a second more for each ``rate`` bytes of it that have come."""
    rate: int = 1024
    """Bytes per second, below which a sender or reader is too slow in the long run."""
    unfinished: int = 256
    per_address: int = 64
    """Loopback is no exception; trusted proxies are, since many clients stand behind them."""
    resting: int = 512
    """Between two requests; each costs memory and a descriptor for as long as keep-alive lasts."""
    patience: float = 1.0
    """Younger ones are not counted: many may be accepted at once before the first is read."""
    answer: float = 5.0
    """For the handler to tell a client that it was too slow; then it is cut."""
    sweep_every: float = 0.5


class Peer(Protocol):
    """A connection as the intake knows it."""

    @property
    def address(self) -> str:
        """Whom it is counted for; empty for a trusted proxy."""
        ...

    @property
    def is_held_up(self) -> bool:
        """Whether it is we who do not read."""
        ...

    @property
    def is_resting(self) -> bool:
        """Whether it is between two requests."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes of an answer that the client has not taken yet."""
        ...

    def refuse(self, problem: Problem) -> None:
        """Say so, if anybody listens, and close."""
        ...

    def leave(self) -> None:
        """Close, as keep-alive that runs out does."""
        ...

    def abort(self) -> None: ...


class Arrival:
    """A head or body on its way in."""

    __slots__ = ("cut_at", "is_body", "received", "since")

    def __init__(self, since: float, is_body: bool) -> None:
        self.since = since
        self.is_body = is_body
        self.received = 0
        self.cut_at: float | None = None


@dataclass
class Departure:
    """An answer on its way out that the client does not take at once."""

    since: float
    size: int


class Intake:
    def __init__(self, limits: ConnectionLimits, counters: Counters, log: FilteringBoundLogger) -> None:
        self.limits = limits
        self.counters = counters
        self._log = log
        self._arrivals: dict[Peer, Arrival] = {}
        """The oldest first."""
        self._departures: dict[Peer, Departure] = {}
        self._open: dict[Peer, None] = {}
        self._resting: dict[Peer, None] = {}
        """Those between two requests when last looked at; who has rested longest comes first."""
        self._ration = Ration()
        self._swept_at = 0.0
        self._time: Callable[[], float] = asyncio.get_running_loop().time

    # -- what connections tell

    def opened(self, peer: Peer) -> None:
        self.counters.open += 1
        self.counters.accepted += 1
        self._open[peer] = None
        self.expect(peer, is_body=False)

    def closed(self, peer: Peer) -> None:
        self.counters.open -= 1
        self._open.pop(peer, None)
        self._resting.pop(peer, None)
        self.finished(peer)
        self._departures.pop(peer, None)

    def expect(self, peer: Peer, is_body: bool) -> Arrival:
        """A head or body has begun."""
        self._arrivals.pop(peer, None)
        arrival = self._arrivals[peer] = Arrival(self._time(), is_body)
        self.counters.unfinished = len(self._arrivals)
        return arrival

    def arrival(self, peer: Peer) -> Arrival | None:
        return self._arrivals.get(peer)

    def finished(self, peer: Peer) -> None:
        self._arrivals.pop(peer, None)
        self.counters.unfinished = len(self._arrivals)

    def stalled(self, peer: Peer) -> None:
        """The client takes what we send more slowly than we send it."""
        self._departures[peer] = Departure(self._time(), peer.unsent)

    def flowing(self, peer: Peer) -> None:
        self._departures.pop(peer, None)

    def tell_malformed(self, error: str) -> None:
        """Somebody spoke no HTTP."""
        self.counters.malformed += 1
        more = self._ration.take("malformed", int(self._time() * 1000))
        if more is not None:
            self._log.info("http.malformed", error=error, **more)

    # -- what time makes of it

    async def run(self) -> None:
        self._swept_at = self._time()
        while True:
            await asyncio.sleep(self.limits.sweep_every)
            try:
                self.sweep(self._time())
            except Exception:
                self._log.exception("http.sweep_failed")

    def sweep(self, now: float) -> None:
        """Close what is overdue or too much."""
        self._wait_for_ours(now)
        for peer, arrival in list(self._arrivals.items()):
            if arrival.cut_at is not None:
                if now > arrival.cut_at + self.limits.answer:
                    peer.abort()
            elif now > arrival.since + self._allowed(arrival):
                self._cut(peer, arrival, TOO_SLOW, now)
        self._thin_out(now)
        self._end_rest()
        for peer, departure in list(self._departures.items()):
            taken = max(0, departure.size - peer.unsent)
            if now > departure.since + self.limits.body + taken / self.limits.rate:
                self.counters.slow_readers += 1
                peer.abort()

    def _allowed(self, arrival: Arrival) -> float:
        return self.limits.body + arrival.received / self.limits.rate if arrival.is_body else self.limits.head

    def _wait_for_ours(self, now: float) -> None:
        """Time in which we did not read is not the client's."""
        for peer, arrival in self._arrivals.items():
            if peer.is_held_up:
                arrival.since += now - max(self._swept_at, arrival.since)
        self._swept_at = now

    def _thin_out(self, now: float) -> None:
        waiting = [
            (peer, arrival) for peer, arrival in self._arrivals.items()
            if arrival.cut_at is None and now > arrival.since + self.limits.patience
        ]
        by_address: dict[str, list[tuple[Peer, Arrival]]] = {}
        for one in waiting:
            by_address.setdefault(one[0].address, []).append(one)
        for address, mine in by_address.items():
            if address:
                self._crowd_out(mine[: max(0, len(mine) - self.limits.per_address)], now)
        left = [one for one in waiting if one[1].cut_at is None]
        self._crowd_out(left[: max(0, len(left) - self.limits.unfinished)], now)

    def _crowd_out(self, oldest: Iterable[tuple[Peer, Arrival]], now: float) -> None:
        for peer, arrival in oldest:
            self._cut(peer, arrival, CROWDED, now)

    def _end_rest(self) -> None:
        """Close who has rested longest, where there are too many."""
        for peer in self._open:
            if not peer.is_resting or peer in self._arrivals:
                self._resting.pop(peer, None)
            else:
                self._resting[peer] = None
        for peer in list(self._resting)[: max(0, len(self._resting) - self.limits.resting)]:
            del self._resting[peer]
            self.counters.rested += 1
            peer.leave()
        self.counters.resting = len(self._resting)

    def _cut(self, peer: Peer, arrival: Arrival, problem: Problem, now: float) -> None:
        arrival.cut_at = now
        if problem is CROWDED:
            self.counters.crowded_out += 1
        elif arrival.is_body:
            self.counters.slow_bodies += 1
        else:
            self.counters.slow_heads += 1
        more = self._ration.take(problem.code, int(now * 1000))
        if more is not None:
            self._log.info("http.unfinished", code=problem.code, client=peer.address, received=arrival.received, **more)
        peer.refuse(problem)
