"""One door's live views: a single subscription to the bus, each entry translated once, each frame encoded once.

A client costs what it takes to hand a finished frame to its connection, however many there are. The journal
is the fallback: when the bus has dropped a door that could not keep up, it reads on from where it stood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from clawatch.apis.limits import Buckets
from clawatch.apis.outbound import frame_of
from clawatch.apis.pace import Pace
from clawatch.apis.sessions import Session, mono
from clawatch.apis.socket_limits import Codec
from clawatch.domain.journal import Entry
from clawatch.domain.time import MINUTE
from clawatch.ports import BusPort, Core, QueriesPort, StoreUnavailable
from clawatch.settings import RateLimit

BATCH = 200
QUEUE = 10_000
"""Entries the bus may keep for a door before it has to read the journal instead."""
RETRY = 1.0
"""Seconds to wait for a store that cannot be read."""
COMPLAINTS = RateLimit(60, MINUTE)
"""Lines in the log about entries that a door could not tell."""


class News(Struct, frozen=True):
    """A message of this door, on its way to all who want it."""

    topic: str
    """The door's own word: a channel, a type of event."""
    agent_id: str
    """Whom it is about; empty for the daemon itself."""
    message: Any
    """What the door's codec encodes."""


Wants = Callable[[News], bool]
"""Whether a member gets this: what it asked for, of what it may see. Called for every message: be quick."""
Translate = Callable[[Entry], Iterable[News]]
"""What a door says of a journal entry. Called once per entry, in order, while anybody listens."""


class Member:
    """One of those who are told, as long as the context lasts."""

    __slots__ = ("_fanout", "session", "since", "wants")

    def __init__(self, fanout: Fanout, session: Session, wants: Wants) -> None:
        self._fanout = fanout
        self.session = session
        self.wants = wants
        self.since = 0
        """Entries up to here were there before it came."""

    async def __aenter__(self) -> None:
        self.since = self._fanout.enter(self)

    async def __aexit__(self, *error: object) -> None:
        await self._fanout.leave(self)


class Fanout:
    """Tells a door's members what happens, for as long as there are any."""

    def __init__(self, core: Core, codec: Codec, begin: Callable[[], Translate]) -> None:
        """``begin`` makes the translation anew whenever a first member comes: what it remembers starts there."""
        self._bus: BusPort = core.bus
        self._queries: QueriesPort = core.queries
        self._log = core.log
        self._codec = codec
        self._begin = begin
        self._complaints = Buckets(COMPLAINTS, capacity=1)
        self._pace = Pace()
        self._members: dict[Member, None] = {}
        self._pump: asyncio.Task[None] | None = None

    @property
    def sessions(self) -> list[Session]:
        """Those who listen, the longest first."""
        return [member.session for member in self._members]

    def joined(self, session: Session, wants: Wants) -> Member:
        """``async with fanout.joined(session, wants)``: tell this session what it wants until the context ends."""
        return Member(self, session, wants)

    def enter(self, member: Member) -> int:
        """The seq behind which it is told."""
        self._members[member] = None
        if self._pump is None:
            self._start()
        return _seq(self._queries.cursor())

    async def leave(self, member: Member) -> None:
        del self._members[member]
        if not self._members:
            await self._stop()

    def tell(self, news: News) -> None:
        """Say what comes from elsewhere than the journal."""
        self._send(news, [member for member in self._members if member.wants(news)])

    def _start(self) -> None:
        # What is committed before the task has subscribed stands behind the cursor, and is read from the journal.
        self._pump = asyncio.create_task(self._follow(self._begin(), self._queries.cursor()))
        self._pump.add_done_callback(self._end_if_failed)

    async def _stop(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    def _end_if_failed(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._log.error("fanout.failed", exc_info=error)
        self._pump = None
        for member in self._members:
            member.session.close(1011, "internal error")

    async def _follow(self, translate: Translate, cursor: str) -> None:
        is_open = True
        while is_open:
            async with self._bus.subscribe(QUEUE) as news:
                cursor = await self._catch_up(translate, cursor)
                done = _seq(cursor)
                async for entry in news:
                    if entry.seq > done:
                        await self._pass_on(translate, entry)
                        done = entry.seq
                cursor = _moved(cursor, done)
                is_open = news.is_dropped

    async def _catch_up(self, translate: Translate, cursor: str) -> str:
        """Read the journal to its end; the cursor behind it. What has been pruned meanwhile is left out."""
        while True:
            try:
                entries = await self._queries.after(cursor, BATCH)
            except StoreUnavailable:
                await asyncio.sleep(RETRY)
                continue
            if entries is None:
                return self._queries.cursor()
            if not entries:
                return cursor
            for entry in entries:
                await self._pass_on(translate, entry)
            cursor = _moved(cursor, entries[-1].seq)

    async def _pass_on(self, translate: Translate, entry: Entry) -> None:
        is_told = False
        await self._pace.step()
        for news in self._said_of(translate, entry):
            readers = [m for m in self._members if m.since < entry.seq and m.wants(news)]
            is_told = self._send(news, readers) or is_told
        if is_told:
            await asyncio.sleep(0)  # others have their turn between two rounds

    def _said_of(self, translate: Translate, entry: Entry) -> Iterator[News]:
        """What there is to tell. One entry that this door cannot make sense of must not end it for everybody."""
        try:
            yield from translate(entry)
        except Exception:
            self._leave_out()

    def _leave_out(self) -> None:
        if not self._complaints.take("", mono()):
            self._log.exception("fanout.left_out")

    def _send(self, news: News, readers: list[Member]) -> bool:
        if not readers:
            return False
        try:
            frame = frame_of(self._codec.encode(news.message))
        except Exception:
            self._leave_out()
            return False
        for member in readers:
            member.session.send_frame(frame)
        return True


def _seq(cursor: str) -> int:
    return int(cursor.rpartition(".")[2])


def _moved(cursor: str, seq: int) -> str:
    return f"{cursor.rpartition('.')[0]}.{seq}"
