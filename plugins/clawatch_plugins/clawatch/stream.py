"""One reader's way through the journal: by cursor, so that nothing is lost or told twice.

The bus only says that there is more. What it says is read from the journal, up to a batch at a time,
so a reader who is slower than the fleet falls behind instead of losing entries, and an agent that spoke
many times in a batch is shown once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase

from clawatch.apis.sockets import Session
from clawatch.domain.events import EventType
from clawatch.domain.journal import Entry
from clawatch.domain.time import iso
from clawatch.ports import Core, StoreUnavailable
from clawatch_plugins.clawatch.frames import TOPICS, Frames, event_type_of, topic_of
from clawatch_plugins.clawatch.wire import Signpost

BATCH = 200
PACE = 0.05
"""Seconds between two batches."""
UNSENT_FRAMES = 400
UNSENT_CHARACTERS = 1024 * 1024
STALL = 5.0
"""Seconds without a byte taken, with that much waiting, that make a slow reader."""
RETRY = 1.0
"""Seconds to wait for a store that cannot be read."""
_MEMORY = 10_000


class Filter:
    """What a reader asked for, of what it may see."""

    def __init__(
        self,
        session: Session,
        agents: tuple[str, ...] = (),
        topics: frozenset[str] = frozenset(TOPICS),
        types: frozenset[EventType] = frozenset(),
    ) -> None:
        self.topics = topics
        self._principal = session.principal
        self._agents = agents
        self._types = types
        self._known: dict[str, bool] = {}

    def admits_agent(self, agent_id: str) -> bool:
        known = self._known.get(agent_id)
        if known is None:
            if len(self._known) >= _MEMORY:
                self._known.clear()
            known = self._known[agent_id] = self._principal.sees(agent_id) and self._asks_for(agent_id)
        return known

    def _asks_for(self, agent_id: str) -> bool:
        return not self._agents or any(one in ("*", agent_id) or fnmatchcase(agent_id, one) for one in self._agents)

    @property
    def named(self) -> tuple[str, ...]:
        """The agents it asks for, where it names each by its id."""
        is_named = not any(set(one) & set("*?[") for one in self._agents)
        return tuple(dict.fromkeys(self._agents)) if is_named else ()

    def admits_recorded(self, agent_id: str) -> bool:
        """Of a recording, whoever may read it may read all of it."""
        return self._asks_for(agent_id)

    def admits(self, entry: Entry) -> bool:
        if topic_of(entry) not in self.topics or not self.admits_agent(entry.agent_id):
            return False
        kind = event_type_of(entry)
        return not self._types or kind is None or kind in self._types


class Stream:
    """Tells a session everything behind ``cursor`` that its filter admits, for as long as it runs."""

    def __init__(self, core: Core, frames: Frames, session: Session, cursor: str) -> None:
        self._core = core
        self._frames = frames
        self._session = session
        self._outlet = Outlet(session)
        self.filter = Filter(session)
        self.cursor = cursor

    async def run(self) -> None:
        is_open = True
        while is_open:
            async with self._core.bus.subscribe() as news:
                arrivals = aiter(news)
                await self._catch_up()
                while await self._has_more(arrivals):
                    await self._catch_up()
                is_open = news.is_dropped  # too many at once: nothing is lost, the journal has them

    async def _has_more(self, arrivals: AsyncIterator[Entry]) -> bool:
        """Wait for an entry behind the cursor; False when the bus has dropped us or closed."""
        _, seq = _split(self.cursor)
        async for entry in arrivals:
            if entry.seq > seq:
                return True
        return False

    async def _catch_up(self) -> None:
        while True:
            try:
                entries = await self._core.queries.after(self.cursor, BATCH)
            except StoreUnavailable:
                await asyncio.sleep(RETRY)
                continue
            if entries is None:
                self.reset()
            elif not entries:
                return
            else:
                await self._tell(entries)
                await asyncio.sleep(PACE)

    def reset(self) -> None:
        """The cursor is good for nothing here: say so, and go on from now."""
        self.cursor = self._core.queries.cursor()
        self._session.send(Signpost(type="reset", cursor=self.cursor, timestamp=iso(self._core.clock.now().wall)))

    async def _tell(self, entries: list[Entry]) -> None:
        """Agents first, under the cursor before the batch: who is cut off in the middle is told again."""
        store, _ = _split(self.cursor)
        if "agents" in self.filter.topics:
            for agent_id in dict.fromkeys(e.agent_id for e in entries if e.agent_id):
                if self.filter.admits_agent(agent_id):
                    await self._outlet.put(self._frames.of_agent(agent_id, self._session.principal, self.cursor))
        for entry in entries:
            cursor = f"{store}.{entry.seq}"
            frame = self._frames.of_entry(entry, cursor) if self.filter.admits(entry) else None
            self.cursor = cursor
            if frame is not None:
                await self._outlet.put(frame)


class Outlet:
    """Keeps what waits to be sent small, and ends the session of a reader who takes nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen = session.sent
        self._waiting: deque[int] = deque()
        self._characters = 0

    async def put(self, frame: str) -> None:
        self._session.send_frame(frame)
        self._waiting.append(len(frame))
        self._characters += len(frame)
        if self._is_full():
            await self._ease()

    async def _ease(self) -> None:
        """Wait until there is room again."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while self._is_full():
            if self._settle():
                since = loop.time()
            elif loop.time() - since > STALL:
                self._session.end(self._session.limits.slow)
                return
            else:
                await asyncio.sleep(PACE)

    def _is_full(self) -> bool:
        return len(self._waiting) > UNSENT_FRAMES or self._characters > UNSENT_CHARACTERS

    def _settle(self) -> bool:
        """Strike what has gone out; whether anything has."""
        gone = min(self._session.sent - self._seen, len(self._waiting))
        self._seen = self._session.sent
        for _ in range(gone):
            self._characters -= self._waiting.popleft()
        return gone > 0


def _split(cursor: str) -> tuple[str, int]:
    store, _, seq = cursor.rpartition(".")
    return store, int(seq)
