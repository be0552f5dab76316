"""The live stream."""

from __future__ import annotations

from typing import Any

from clawatch_plugins.clawatch.wire.base import Wire
from clawatch_plugins.clawatch.wire.replays import ReplayWanted


class Message(Wire):
    """A message of the live stream: ``data`` is the object as REST gives it.

    ``type`` is agent, event, alert, command or run. ``cursor``: subscribe with it to go on behind this message.
    """

    type: str
    cursor: str
    timestamp: str
    data: Any


class Signpost(Wire):
    """``subscribed``, or ``reset``: the cursor is not known here, fetch everything anew."""

    type: str
    cursor: str
    timestamp: str


class Pong(Wire):
    type: str
    timestamp: str


class Subscribe(Wire):
    """What a client says to choose. Empty lists ask for everything; ``agents`` are patterns."""

    agents: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    cursor: str | None = None
    replay: ReplayWanted | None = None
    """Tell a recording instead of what is now, on this connection, until the next subscription."""
