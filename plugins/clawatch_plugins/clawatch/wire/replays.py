"""A recording, told over the stream."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from clawatch.domain.recordings.lines import MAX_TICK
from clawatch_plugins.clawatch.wire.base import Wire

Tick = Annotated[int, Meta(ge=0, le=MAX_TICK)]


class ReplayWanted(Wire):
    """``node`` is a recording's node_id or its id. ``speed``: so many times as fast as it was."""

    node: Annotated[str, Meta(min_length=1, max_length=200)]
    speed: Annotated[float, Meta(gt=0, le=1_000_000)] = 60.0
    first: Tick = field(default=0, name="from")
    last: Tick | None = field(default=None, name="to")


class ReplayMessage(Wire):
    """What is replayed, never what is now: ``replay`` says so in every frame.

    ``type``: replay_started, replay_tick, replay_step, replay_event, replay_ended. ``timestamp`` is when it was, null
    where the recording does not tell.
    """

    type: str
    node: str
    tick: int
    timestamp: str | None
    data: Any
    replay: bool = True
