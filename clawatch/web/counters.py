"""What the web server has let in and turned away: plain numbers, for whoever publishes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawatch.apis.bodies import InFlight


@dataclass(slots=True)
class Counters:
    """Since the start, but for ``open``, ``unfinished``, ``resting`` and ``body_bytes``, which are as of now.

    Only the web server writes them.
    """

    open: int = 0
    """Connections there are."""
    unfinished: int = 0
    """Of these, the ones still sending a head or a body."""
    resting: int = 0
    """And the ones between two requests."""
    in_flight: InFlight = field(default_factory=InFlight, repr=False)

    accepted: int = 0
    """Connections."""
    slow_heads: int = 0
    """Connections that did not send a whole head in time."""
    slow_bodies: int = 0
    """Requests whose body came too slowly."""
    slow_readers: int = 0
    """Connections cut because nobody took what we answered."""
    crowded_out: int = 0
    """Unfinished connections closed because there were too many."""
    malformed: int = 0
    """What was not even HTTP."""
    too_large: int = 0
    """Requests refused for their body's size (413)."""
    over_rate: int = 0
    """Requests refused because their key or address came too often (429)."""
    misdirected: int = 0
    """Requests for a host that is not us (421)."""
    rested: int = 0
    """Connections closed between two requests because there were too many."""
    failed: int = 0
    """Requests that a door's handler failed to answer (500)."""
    failing: dict[tuple[str, str], int] = field(default_factory=dict)
    """Of the routes whose last request failed so: how many did in a row, by (door, method and path)."""

    @property
    def body_bytes(self) -> int:
        """Bytes of bodies that requests under way hold."""
        return self.in_flight.held

    @property
    def too_busy(self) -> int:
        """Requests refused because too much of others' bodies was in flight (503)."""
        return self.in_flight.refused
