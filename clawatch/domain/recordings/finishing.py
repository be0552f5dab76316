"""Finishing: staged blocks become the final ones, a bounded part of them at a time.

Each of these takes the bodies of staged blocks in the order of their flushes and gives final blocks back. The same
staged blocks give the same final ones, so a completion that broke off is simply done again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from clawatch.domain.recordings.lines import EventLine, TickLine
from clawatch.domain.recordings.numbers import pack_column, pack_numbers
from clawatch.domain.recordings.recording import AGENTS_PER_BLOCK, Block, Kind, Recording, pack, pack_binary
from clawatch.domain.recordings.states import Frame, Framing, State, state_of
from clawatch.domain.recordings.summary import Reckoning
from clawatch.domain.recordings.trajectories import (
    SPAN_BYTES,
    SPAN_STEPS,
    Profile,
    StagedStep,
    pack_span,
    staged_steps,
)

CHUNK_TICKS = 256
CHUNK_EVENTS = 256
_ticks = msgspec.json.Decoder(TickLine).decode_lines
_events = msgspec.json.Decoder(EventLine).decode_lines
_profiles = msgspec.json.Decoder(tuple[int, Profile]).decode_lines


class AgentsBlock:
    """The agents of one block, ``names`` in the order of their numbers: who they are and what they did."""

    def __init__(self, key: int, names: Sequence[str], reckoning: Reckoning) -> None:
        self._key = key
        self._reckoning = reckoning
        first = key * AGENTS_PER_BLOCK
        self._profiles = {first + place: Profile(agent_id=name) for place, name in enumerate(names)}
        self._began: dict[int, int] = {}
        self._acted: dict[int, StagedStep] = {}
        self._steps: list[StagedStep] = []
        self._size = 0
        self._spans = 0

    def add_profiles(self, body: bytes) -> None:
        self._profiles.update(_profiles(zlib.decompress(body)))

    def add_steps(self, body: bytes) -> list[Block]:
        raw = zlib.decompress(body)
        steps = staged_steps(raw)
        for step in steps:
            self._note(step)
        self._steps += steps
        self._size += len(raw)
        return self._pack() if len(self._steps) >= SPAN_STEPS or self._size >= SPAN_BYTES else []

    def end(self) -> list[Block]:
        blocks = self._pack() if self._steps else []
        profiles = {agent: self._decided(agent, profile) for agent, profile in self._profiles.items()}
        for agent, profile in profiles.items():
            self._reckoning.agent(profile, self._began.get(agent))
        return [*blocks, Block(Kind.PROFILES, self._key, 0, pack(profiles))]

    def _note(self, step: StagedStep) -> None:
        agent = step.agent
        if step.tick < self._began.get(agent, step.tick + 1):
            self._began[agent] = step.tick
        if step.action is not None and (agent not in self._acted or step.tick >= self._acted[agent].tick):
            self._acted[agent] = step

    def _decided(self, agent: int, profile: Profile) -> Profile:
        acted = self._acted.get(agent)
        if acted is None or profile.final_decision is not None or profile.decision_tick is not None:
            return profile
        return replace(profile, final_decision=acted.action, decision_tick=acted.tick)

    def _pack(self) -> list[Block]:
        blocks = list(pack_span(self._steps, self._key, self._spans))
        self._steps, self._size = [], 0
        self._spans += 1
        return blocks


class Ticks:
    """The ticks as frames, and as columns by chunks."""

    def __init__(self, recording: Recording, reckoning: Reckoning) -> None:
        self._reckoning = reckoning
        self._metrics = recording.metrics
        self._segments = tuple(part.name for part in recording.segments)
        self._regions = tuple(part.name for part in recording.regions)
        self._framing = Framing(recording.keyframe_interval)
        self._chunk: list[int] = []
        self._rows: list[list[Any]] = []
        self.chunks: list[int] = []
        """First tick of each."""

    def add(self, body: bytes) -> Iterator[Block]:
        for line in _ticks(zlib.decompress(body)):
            frame = self._framing.add(line.tick, state_of(line))
            if frame is not None:
                yield _frame_block(frame)
            self._reckoning.tick(line.tick, line.metrics)
            self._chunk.append(line.tick)
            self._rows.append(list(self._row(self._framing.state)))
            if len(self._chunk) == CHUNK_TICKS:
                yield from self._end_chunk()

    def end(self) -> Iterator[Block]:
        frame = self._framing.end()
        if frame is not None:
            yield _frame_block(frame)
        if self._chunk:
            yield from self._end_chunk()

    def _row(self, state: State) -> Iterator[Any]:
        for metric in self._metrics:
            yield state.metrics.get(metric)
            parts = state.by_segment.get(metric, {})
            yield from map(parts.get, self._segments)
            parts = state.by_region.get(metric, {})
            yield from map(parts.get, self._regions)

    def _end_chunk(self) -> Iterator[Block]:
        number = len(self.chunks)
        self.chunks.append(self._chunk[0])
        yield Block(Kind.COLUMN, 0, number, pack_binary(pack_numbers([self._chunk])))
        for key, values in enumerate(zip(*self._rows, strict=True), 1):
            yield Block(Kind.COLUMN, key, number, pack_binary(pack_column([values])))
        self._chunk, self._rows = [], []


class Events:
    def __init__(self, recording: Recording, reckoning: Reckoning) -> None:
        self._reckoning = reckoning
        self._is_loose = recording.progress.has_loose_events
        self._waiting: list[EventLine] = []
        self._chunks = 0

    def add(self, body: bytes) -> Iterator[Block]:
        self._waiting += _events(zlib.decompress(body))
        while not self._is_loose and len(self._waiting) >= CHUNK_EVENTS:
            yield self._chunk()

    def end(self) -> Iterator[Block]:
        self._waiting.sort(key=attrgetter("tick"))
        while self._waiting:
            yield self._chunk()

    def _chunk(self) -> Block:
        events, self._waiting = self._waiting[:CHUNK_EVENTS], self._waiting[CHUNK_EVENTS:]
        self._reckoning.events(events)
        self._chunks += 1
        return Block(Kind.EVENTS, self._chunks - 1, 0, pack(events))


def _frame_block(frame: Frame) -> Block:
    return Block(Kind.FRAME, frame.tick, 0, pack(frame))
