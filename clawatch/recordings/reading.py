"""Reading: the few blocks that an answer is in, decoded; large ones beside the event loop."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from clawatch.domain.recordings import (
    Block,
    EventLine,
    Kind,
    Profile,
    Recording,
    Step,
    Summary,
    TopEvent,
    Trajectory,
)
from clawatch.domain.recordings.lines import MAX_TICK
from clawatch.domain.recordings.recording import AGENTS_PER_BLOCK, unpack
from clawatch.domain.recordings.slices import Chunk, Slice, keys_of, points, wanted_of
from clawatch.domain.recordings.states import Frame, State, state_at
from clawatch.domain.recordings.summary import EventChunk, weightiest
from clawatch.domain.recordings.trajectories import all_steps_in, trajectory_in
from clawatch.ports import EventsFound, EventsWanted, Keyframe, NotFound, RecordingsStore

T = TypeVar("T")
LARGE = 64 * 1024
"""Bytes of blocks beyond which they are decoded on another thread."""
CHUNKS_AT_ONCE = 8


async def read_points(store: RecordingsStore, recording: Recording, where: Slice) -> AsyncIterator[dict[str, Any]]:
    wanted = wanted_of(recording, where)
    keys = keys_of(wanted)
    for number, ticks in groupby(where.ticks, lambda tick: bisect_right(recording.chunks, tick) - 1):
        chunk = None
        if number >= 0:
            blocks = await store.blocks(recording.id, [Kind.COLUMN], keys, number, number)
            chunk = await _offload(blocks, Chunk, {block.key: block.body for block in blocks})
        for point in points(chunk, ticks, wanted, recording):
            yield point


async def read_summary(store: RecordingsStore, recording: Recording) -> Summary:
    [block] = await store.blocks(recording.id, [Kind.SUMMARY], [0])
    summary: Summary = await _offload([block], unpack, block.body, Summary)
    return summary


async def read_keyframe(store: RecordingsStore, recording: Recording, summary: Summary, tick: int) -> Keyframe:
    block = await store.block_before(recording.id, Kind.FRAME, tick)
    state = State() if block is None else await _offload([block], _state, block.body, tick)
    return Keyframe(
        tick=tick, state=state, counts=summary.counts(tick, recording.agent_count),
        top_events=await _top_events(store, recording, summary.chunks, tick),
    )


def _state(body: bytes, tick: int) -> State:
    return state_at(unpack(body, Frame), tick)


async def _top_events(
    store: RecordingsStore, recording: Recording, chunks: Sequence[EventChunk], tick: int
) -> list[TopEvent]:
    top = [event for chunk in chunks if chunk.last <= tick for event in chunk.top]
    for number, chunk in enumerate(chunks):
        if chunk.first <= tick < chunk.last:
            [events] = await _events(store, recording, [number])
            top += [
                TopEvent(event.tick, event.type, event.impact_score) for event in events
                if event.tick <= tick and event.impact_score is not None
            ]  # fmt: skip
    return weightiest(top)


async def read_trajectory(
    store: RecordingsStore, recording: Recording, agent_id: str, first: int, last: int | None, reasons: bool
) -> Trajectory:
    agent = await store.agent(recording.id, agent_id)
    if agent is None:
        raise NotFound("Agent not found in this recording")
    kinds = [Kind.SPAN, Kind.PROFILES, *([Kind.REASONS] if reasons else [])]
    blocks = await store.blocks(recording.id, kinds, [agent // AGENTS_PER_BLOCK])
    trajectory: Trajectory = await _offload(blocks, _trajectory, blocks, agent, first, _bound(last))
    return trajectory


def _trajectory(blocks: Sequence[Block], agent: int, first: int, last: int) -> Trajectory:
    [profiles] = [block.body for block in blocks if block.kind == Kind.PROFILES]
    spans = [block.body for block in blocks if block.kind == Kind.SPAN]
    reasons = {block.part: block.body for block in blocks if block.kind == Kind.REASONS}
    return Trajectory(unpack(profiles, dict[int, Profile])[agent], trajectory_in(spans, reasons, agent, first, last))


async def read_profiles(store: RecordingsStore, recording: Recording) -> AsyncIterator[Profile]:
    for key in range(recording.agent_blocks):
        for block in await store.blocks(recording.id, [Kind.PROFILES], [key]):
            profiles: dict[int, Profile] = await _offload([block], unpack, block.body, dict[int, Profile])
            for number in sorted(profiles):
                yield profiles[number]


async def read_steps(
    store: RecordingsStore, recording: Recording, first: int, last: int
) -> AsyncIterator[tuple[str, Step]]:
    for key in range(recording.agent_blocks):
        blocks = await store.blocks(recording.id, [Kind.SPAN, Kind.PROFILES], [key])
        for found in await asyncio.to_thread(_steps, blocks, first, last):
            yield found


def _steps(blocks: Sequence[Block], first: int, last: int) -> list[tuple[str, Step]]:
    [profiles] = [unpack(block.body, dict[int, Profile]) for block in blocks if block.kind == Kind.PROFILES]
    return [
        (profiles[agent].agent_id, step)
        for block in blocks if block.kind == Kind.SPAN
        for agent, step in all_steps_in(block.body, first, last)
    ]  # fmt: skip


async def read_events(
    store: RecordingsStore, recording: Recording, summary: Summary, where: EventsWanted
) -> EventsFound:
    """Chunks of which every event matches and none is on the page are counted without a look at them."""
    last, page, total = _bound(where.last), [], 0
    is_filtered = where.type is not None or where.min_impact is not None
    numbers: list[int] = []
    for number, chunk in enumerate(summary.chunks):
        if chunk.last < where.first or chunk.first > last:
            continue
        is_whole = not is_filtered and where.first <= chunk.first and chunk.last <= last
        if is_whole and not (total < where.skip + where.limit and total + chunk.count > where.skip):
            total += chunk.count
            continue
        numbers = [number]
        for event in (event for events in await _events(store, recording, numbers) for event in events):
            if not _matches(event, where, last):
                continue
            if where.skip <= total < where.skip + where.limit:
                page.append(event)
            total += 1
    return EventsFound(page, total)


def _matches(event: EventLine, where: EventsWanted, last: int) -> bool:
    return (
        where.first <= event.tick <= last
        and where.type in (None, event.type)
        and (where.min_impact is None or (event.impact_score is not None and event.impact_score >= where.min_impact))
    )


async def _events(store: RecordingsStore, recording: Recording, numbers: Sequence[int]) -> list[list[EventLine]]:
    blocks = await store.blocks(recording.id, [Kind.EVENTS], numbers)
    return [await _offload([block], unpack, block.body, list[EventLine]) for block in blocks]


def _bound(last: int | None) -> int:
    return MAX_TICK if last is None else last


async def _offload(blocks: Sequence[Block], decode: Callable[..., T], *arguments: Any) -> T:
    if sum(len(block.body) for block in blocks) < LARGE:
        return decode(*arguments)
    return await asyncio.to_thread(decode, *arguments)
