"""A recording as a whole, and the blocks that it consists of."""

from __future__ import annotations

import zlib
from enum import IntEnum, StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from clawatch.domain.time import Millis

AGENTS_PER_BLOCK = 64
"""Neighbours in one block: enough that they compress well, few enough that one is read in a moment."""
COMPRESSION = 6


class Source(StrEnum):
    IMPORT = "import"
    FLEET = "fleet"


class Stage(StrEnum):
    OPEN = "open"
    """Being written; nobody sees more of it than that it is there."""
    COMPLETE = "complete"
    """Never changes again."""
    GONE = "gone"
    """To be removed, bit by bit."""


class Kind(IntEnum):
    """What a block holds, and what ``key`` and ``part`` count in it."""

    FRAME = 1
    """A keyframe and the deltas behind it. Key: its tick."""
    COLUMN = 2
    """A metric's values at the ticks of a chunk. Key: the column, 0 being the ticks; part: the chunk."""
    SPAN = 3
    """Steps of up to 64 agents. Key: the agents' block; part: the span."""
    REASONS = 4
    """Their reasoning. Key and part as in SPAN."""
    PROFILES = 5
    """Who they are. Key: the agents' block."""
    EVENTS = 6
    """Up to 256 events. Key: the chunk."""
    SUMMARY = 7
    """``summary.Summary``."""
    STAGED_TICKS = 11
    STAGED_EVENTS = 12
    STAGED_STEPS = 13
    """Key: the agents' block. Part, of all that is staged: the flush."""
    STAGED_AGENTS = 14


STAGED = (Kind.STAGED_TICKS, Kind.STAGED_EVENTS, Kind.STAGED_STEPS, Kind.STAGED_AGENTS)


class Block(Struct, frozen=True):
    kind: int
    key: int
    part: int
    body: bytes


class Part(Struct, frozen=True):
    """A segment or a region, and how many of the agents belong to it."""

    name: str
    population: int = 0


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the writing of an open recording has come."""

    next_line: int = 2
    """As the sender counts."""
    has_begun: bool = False
    """Something has come behind the header."""
    is_whole: bool = False
    """Sent as one body: when that breaks off, it is not gone on with."""
    has_ended: bool = False
    """The ``end`` line is there; nothing follows it."""
    aggregates: dict[str, Any] = {}
    flushes: int = 0
    last_tick: int = -1
    """Of the ``tick`` lines."""
    last_event: int = -1
    event_bytes: int = 0
    has_loose_events: bool = False
    """Events did not come in order."""


class Recording(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    node_id: str
    run_id: str
    owner: str
    source: Source = Source.IMPORT
    stage: Stage = Stage.OPEN
    version: int = 1
    """One more with each change."""
    created_at: Millis
    touched_at: Millis
    completed_at: Millis = 0
    started_at: Millis | None = None
    """Of tick 0, where known."""
    tick_length: Millis | None = None
    keyframe_interval: int
    metrics: tuple[str, ...] = ()
    segments: tuple[Part, ...] = ()
    regions: tuple[Part, ...] = ()
    chunks: tuple[int, ...] = ()
    """First tick of each chunk of the columns."""
    total_ticks: int = 0
    """The last tick."""
    agent_count: int = 0
    event_count: int = 0
    step_count: int = 0
    size_bytes: int = 0
    """Of its blocks, as they are stored."""
    has_scraps: bool = False
    """Staged blocks may be left to be removed."""
    progress: Progress = Progress()

    @property
    def is_complete(self) -> bool:
        return self.stage is Stage.COMPLETE

    @property
    def agent_blocks(self) -> int:
        return -(-self.agent_count // AGENTS_PER_BLOCK)

    @property
    def keyframes(self) -> range:
        return range(0, self.total_ticks + 1, self.keyframe_interval)

    def column(self, metric: str) -> int:
        """The column of a metric over the whole run; those of its segments follow, then those of its regions."""
        return 1 + self.metrics.index(metric) * (1 + len(self.segments) + len(self.regions))

    def instant(self, tick: int) -> Millis | None:
        if self.started_at is None or self.tick_length is None:
            return None
        return self.started_at + tick * self.tick_length


def pack(value: Any) -> bytes:
    """As the body of a block. JSON: it holds whatever a line may hold, integers of any size too."""
    return zlib.compress(msgspec.json.encode(value), COMPRESSION)


def unpack(body: bytes, type: Any) -> Any:
    return msgspec.json.decode(zlib.decompress(body), type=type)


def pack_binary(value: Any) -> bytes:
    """What holds bytes of its own."""
    return zlib.compress(msgspec.msgpack.encode(value), COMPRESSION)


def unpack_binary(body: bytes, type: Any) -> Any:
    return msgspec.msgpack.decode(zlib.decompress(body), type=type)
