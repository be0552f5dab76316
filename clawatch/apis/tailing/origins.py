"""How fresh a line's events are.

What stood in the files at the first start is history, and so is whatever says that it happened before then. What was
found rather than seen to be written (the daemon was away, or a file has just appeared) is late, unless it has only
just happened. The rest is live.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from clawatch.apis.tailing.files import File
from clawatch.domain.events import ORIGIN_RANK, Event, EventType, Origin, Turn
from clawatch.domain.time import MINUTE, Millis

FRESH: Millis = MINUTE


class Origins(Struct, frozen=True):
    began: Millis
    since: Millis
    source: str

    def settle(self, event: Event, file: File, offset: int, written: Millis, now: Millis) -> Iterator[Event]:
        """The event with its origin and source; nothing for history that lies too far back.

        ``written``: when the file was last changed, for events that tell no time.
        """
        at = event.at or written
        origin = self._origin(at, file, offset, now)
        if origin is Origin.HISTORY and at < min(self.began, now) - self.since:
            return
        if ORIGIN_RANK[event.origin] > ORIGIN_RANK[origin]:
            origin = event.origin
        if at != event.at or origin is not event.origin or not event.source:
            event = replace(event, at=at, origin=origin, source=event.source or self.source)
        if event.turn is not None or event.activity is not None:
            file.standing = None if origin is Origin.LIVE else event
        yield event

    def _origin(self, at: Millis, file: File, offset: int, now: Millis) -> Origin:
        if offset < file.position.past or at < self.began:
            return Origin.HISTORY
        if offset < file.late_until and now - at > FRESH:
            return Origin.LATE
        return Origin.LIVE

    def through(self, file: File) -> Iterator[Event]:
        """The past is through: how the agent stands at its end, as a conclusion and no sign of life.

        Late events and history change no status; without this, a turn that ended while nobody listened would stay
        open, and its agent be called stuck. That a turn of history is open still is not concluded.
        """
        event, file.standing = file.standing, None
        if event is None or (event.origin is Origin.HISTORY and event.turn is Turn.OPEN):
            return
        yield Event(
            agent_id=event.agent_id,
            type=EventType.HEARTBEAT,
            at=event.at,
            id=f"stands:{event.id or event.call_id}",
            session_id=event.session_id,
            signal=event.signal,
            source=event.source,
            turn=event.turn,
            activity=event.activity,
            is_progress=False,
            is_hidden=True,
            is_inferred=True,
        )
