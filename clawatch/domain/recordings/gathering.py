"""Gathering: lines become staged blocks, whatever order they come in, so that only a few of them are in memory."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from clawatch.domain.access import check_agent_id
from clawatch.domain.recordings.lines import (
    MAX_NAMES,
    MAX_TICK,
    AgentLine,
    AnyLine,
    BadLine,
    EndLine,
    EventLine,
    Header,
    StepLine,
    TickLine,
)
from clawatch.domain.recordings.recording import AGENTS_PER_BLOCK, Block, Kind, Part, Recording, Source
from clawatch.domain.recordings.states import MAX_STATE, State, merged, size_of, state_of
from clawatch.domain.recordings.trajectories import Profile, StagedStep
from clawatch.domain.time import LATEST, Millis, parse_iso

MAX_AGENTS = 200_000
MAX_EVENTS = 1_000_000
MAX_COLUMNS = 4_000
"""Metrics, times all segments and regions and the whole."""
MAX_LOOSE = 16 * 1024 * 1024
"""Bytes of events up to which they may come in any order: they are sorted in memory."""
_STAGING = 1
"""zlib's quickest: what is staged is soon read again."""
_encode = msgspec.json.Encoder().encode


def recording_from(header: Header, id: str, owner: str, source: Source, now: Millis) -> Recording:
    """A new one. Raises BadLine when the header makes no sense."""
    try:
        node_id = str(uuid.UUID(header.node_id))
    except ValueError:
        raise BadLine(1, "node_id must be a UUID") from None
    try:
        started_at = None if header.started_at is None else parse_iso(header.started_at)
    except (ValueError, OverflowError):
        raise BadLine(1, "started_at must be an ISO 8601 date-time like 2026-03-09T14:00:00Z") from None
    names = {"metrics": header.metrics, "segments": header.segments, "regions": header.regions}
    for where, given in names.items():
        if len(set(given)) < len(given):
            raise BadLine(1, f"{where} names something twice")
    recording = Recording(
        id=id, node_id=node_id, run_id=header.run_id or str(uuid.uuid4()), owner=owner, source=source,
        created_at=now, touched_at=now, started_at=started_at,
        tick_length=None if header.tick_seconds is None else max(1, round(header.tick_seconds * 1000)),
        keyframe_interval=header.keyframe_interval, metrics=header.metrics,
        segments=tuple(map(Part, header.segments)), regions=tuple(map(Part, header.regions)),
    )  # fmt: skip
    if (recording.instant(MAX_TICK) or 0) > LATEST:
        raise BadLine(1, "with these tick_seconds the last ticks would lie behind the year 9999")
    _check_columns(1, len(header.metrics), len(header.segments), len(header.regions))
    return recording


@dataclass
class Gathered:
    """What a flush has to store, in one commit."""

    recording: Recording
    blocks: list[Block]
    agents: dict[str, int]
    """New ones, with their numbers."""


@dataclass
class _Buffers:
    ticks: bytearray = field(default_factory=bytearray)
    events: bytearray = field(default_factory=bytearray)
    steps: dict[int, bytearray] = field(default_factory=dict)
    agents: dict[int, bytearray] = field(default_factory=dict)
    enrolled: dict[str, int] = field(default_factory=dict)


class Gathering:
    """Of one open recording; ``agents`` are those known before."""

    def __init__(self, recording: Recording, agents: dict[str, int]) -> None:
        self._recording = recording
        self._agents = agents
        self._progress = recording.progress
        self._metrics = dict.fromkeys(recording.metrics)
        self._segments = dict.fromkeys(part.name for part in recording.segments)
        self._regions = dict.fromkeys(part.name for part in recording.regions)
        self._last = recording.total_ticks
        self._events = recording.event_count
        self._steps = recording.step_count
        self._last_tick = self._progress.last_tick
        self._state = State()
        self._buffers = _Buffers()

    @property
    def has_ended(self) -> bool:
        return self._progress.has_ended

    def take(self, number: int, line: AnyLine) -> None:
        """Raises BadLine, and has not taken it then."""
        try:
            self._take(number, line)
        except (ValueError, OverflowError, RecursionError) as error:
            raise BadLine(number, f"this cannot be stored: {error}") from None

    def _take(self, number: int, line: AnyLine) -> None:
        if self._progress.has_ended:
            raise BadLine(number, "nothing may follow the end")
        if type(line) is StepLine:  # by far the most
            self._step(number, line)
        elif isinstance(line, TickLine):
            self._tick(number, line)
        elif isinstance(line, AgentLine):
            self._agent(number, line)
        elif isinstance(line, EventLine):
            self._event(number, line)
        elif isinstance(line, EndLine):
            self._progress = replace(self._progress, has_ended=True, aggregates=line.aggregates)
        else:
            raise BadLine(number, "the recording has begun already; there is one line of this kind, the first")

    def flush(self, next_line: int, now: Millis) -> Gathered:
        """What has come since the last flush; ``next_line`` is the first that has not been taken."""
        flush, buffers = self._progress.flushes, self._buffers
        staged = [
            (Kind.STAGED_TICKS, 0, buffers.ticks), (Kind.STAGED_EVENTS, 0, buffers.events),
            *((Kind.STAGED_STEPS, key, body) for key, body in buffers.steps.items()),
            *((Kind.STAGED_AGENTS, key, body) for key, body in buffers.agents.items()),
        ]  # fmt: skip
        blocks = [Block(kind, key, flush, _squeeze(body)) for kind, key, body in staged if body]
        self._progress = replace(
            self._progress, next_line=next_line, has_begun=True, flushes=flush + 1, last_tick=self._last_tick
        )
        before = self._recording
        self._recording = replace(
            before, version=before.version + 1, touched_at=now, progress=self._progress,
            metrics=tuple(self._metrics), segments=tuple(map(Part, self._segments)),
            regions=tuple(map(Part, self._regions)), total_ticks=self._last, agent_count=len(self._agents),
            event_count=self._events, step_count=self._steps,
        )  # fmt: skip
        self._buffers = _Buffers()
        return Gathered(self._recording, blocks, buffers.enrolled)

    # -- one kind of line each

    def _step(self, number: int, line: StepLine) -> None:
        agent = self._agents.get(line.agent_id)
        if agent is None:
            agent = self._enrol(number, line.agent_id)
        if line.tick > self._last:
            self._last = line.tick
        key = agent // AGENTS_PER_BLOCK
        buffer = self._buffers.steps.get(key)
        if buffer is None:
            buffer = self._buffers.steps[key] = bytearray()
        buffer += _encode(StagedStep(agent, line.tick, line.state, line.action, line.reasoning))
        buffer += b"\n"
        self._steps += 1

    def _agent(self, number: int, line: AgentLine) -> None:
        self._name(number, (), [line.segment] if line.segment else (), [line.region] if line.region else ())
        if line.decision_tick is not None:
            self._last = max(self._last, line.decision_tick)
        agent = self._agents.get(line.agent_id)
        if agent is None:
            agent = self._enrol(number, line.agent_id)
        fields = {name: getattr(line, name) for name in Profile.__struct_fields__}
        self._buffers.agents.setdefault(agent // AGENTS_PER_BLOCK, bytearray()).extend(
            _encode((agent, Profile(**fields))) + b"\n"
        )

    def _tick(self, number: int, line: TickLine) -> None:
        if line.tick <= self._last_tick:
            raise BadLine(number, f"tick {line.tick} comes after tick {self._last_tick}; ticks must ascend")
        state = merged(self._state, state_of(line))
        if size_of(state) > MAX_STATE:
            raise BadLine(number, f"with this the state of the run is larger than {MAX_STATE} bytes")
        segments = [name for values in line.by_segment.values() for name in values]
        regions = [name for values in line.by_region.values() for name in values]
        self._name(number, [*line.metrics, *line.by_segment, *line.by_region], segments, regions)
        self._state = state
        self._last_tick = line.tick
        self._last = max(self._last, line.tick)
        self._buffers.ticks += _encode(line) + b"\n"

    def _event(self, number: int, line: EventLine) -> None:
        if self._events >= MAX_EVENTS:
            raise BadLine(number, f"more than {MAX_EVENTS} events")
        progress = self._progress
        is_loose = progress.has_loose_events or line.tick < progress.last_event
        body = _encode(line if line.id else replace(line, id=f"event-{self._events + 1}")) + b"\n"
        size = progress.event_bytes + len(body)
        if is_loose and size > MAX_LOOSE:
            raise BadLine(number, f"so many events (more than {MAX_LOOSE} bytes) must come in the order of their ticks")
        self._buffers.events += body
        self._progress = replace(progress, event_bytes=size, has_loose_events=is_loose, last_event=line.tick)
        self._last = max(self._last, line.tick)
        self._events += 1

    # -- names

    def _enrol(self, number: int, agent_id: str) -> int:
        if len(self._agents) >= MAX_AGENTS:
            raise BadLine(number, f"more than {MAX_AGENTS} agents")
        try:
            check_agent_id(agent_id)
        except ValueError as error:
            raise BadLine(number, str(error)) from None
        agent = self._agents[agent_id] = self._buffers.enrolled[agent_id] = len(self._agents)
        return agent

    def _name(self, number: int, metrics: Iterable[str], segments: Iterable[str], regions: Iterable[str]) -> None:
        found = ((self._metrics, metrics), (self._segments, segments), (self._regions, regions))
        new = [[name for name in dict.fromkeys(names) if name not in known] for known, names in found]
        if not any(new):
            return
        sizes = [len(known) + len(names) for (known, _), names in zip(found, new, strict=True)]
        _check_columns(number, *sizes)
        for (known, _), names in zip(found, new, strict=True):
            known.update(dict.fromkeys(names))


def _check_columns(number: int, metrics: int, segments: int, regions: int) -> None:
    if max(metrics, segments, regions) > MAX_NAMES:
        raise BadLine(number, f"more than {MAX_NAMES} metrics, segments or regions")
    if metrics * (1 + segments + regions) > MAX_COLUMNS:
        raise BadLine(number, f"more than {MAX_COLUMNS} values a tick: metrics times segments and regions")


def _squeeze(body: bytearray) -> bytes:
    return zlib.compress(body, _STAGING)
