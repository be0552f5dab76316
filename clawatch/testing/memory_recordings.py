"""Recordings of the store in memory, bounded like the rest of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clawatch.domain.pages import Place, parse_place
from clawatch.domain.recordings import Block, Kind, Recording, Stage
from clawatch.ports import Conflict, Invalid, Page, StoreUnavailable

MOST_BYTES = 256 * 1024 * 1024
"""Of all blocks together; what comes beyond is refused."""

Named = dict[tuple[int, int, int], Block]


@dataclass
class _Kept:
    recording: Recording
    blocks: Named = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)


class MemoryRecordings:
    """The whole ``RecordingsStore``."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: dict[str, _Kept] = {}
        self._room = most_bytes

    async def create(self, recording: Recording) -> None:
        if recording.id in self._kept:
            raise Conflict(f"there is a recording {recording.id} already")
        self._kept[recording.id] = _Kept(recording)

    async def advance(
        self, recording: Recording, expected: int, blocks: Sequence[Block] = (), agents: Mapping[str, int] = {}
    ) -> None:
        kept = self._kept.get(recording.id)
        if kept is None or kept.recording.version != expected:
            raise Conflict(f"the recording {recording.id} has changed meanwhile")
        new = {(block.kind, block.key, block.part): block for block in blocks}
        replaced = [kept.blocks[name] for name in new if name in kept.blocks]
        room = self._room + _size(replaced) - _size(new.values())
        if room < 0:
            raise StoreUnavailable("there is no more room for recordings in memory")
        self._room = room
        kept.recording = recording
        kept.blocks.update(new)
        kept.agents.update(agents)

    async def recording(self, recording_id: str) -> Recording | None:
        kept = self._kept.get(recording_id)
        return None if kept is None else kept.recording

    async def of_node(self, node_id: str, limit: int = 1000) -> list[Recording]:
        found = [one for one in self._newest() if one.node_id == node_id and one.stage is not Stage.GONE]
        return found[:limit]

    async def recordings(self, owner: str | None, cursor: str | None, limit: int) -> Page[Recording]:
        found = [one for one in self._newest() if owner in (None, one.owner)]
        if cursor is not None:
            try:
                place = parse_place(cursor)
            except ValueError as error:
                raise Invalid(str(error)) from None
            found = [one for one in found if _place(one) < place]
        return Page(tuple(found[:limit]), str(_place(found[limit - 1])) if len(found) > limit else None)

    async def blocks(
        self, recording_id: str, kinds: Sequence[Kind], keys: Sequence[int], first_part: int = 0,
        last_part: int | None = None,
    ) -> list[Block]:
        wanted_kinds, wanted_keys = set(kinds), set(keys)
        names = sorted(
            (kind, key, part) for kind, key, part in self._blocks(recording_id)
            if kind in wanted_kinds and key in wanted_keys and part >= first_part
            and (last_part is None or part <= last_part)
        )  # fmt: skip
        return [self._blocks(recording_id)[name] for name in names]

    async def block_before(self, recording_id: str, kind: Kind, key: int) -> Block | None:
        blocks = self._blocks(recording_id)
        names = [name for name in blocks if name[0] == kind and name[1] <= key and name[2] == 0]
        return blocks[max(names)] if names else None

    async def agent(self, recording_id: str, agent_id: str) -> int | None:
        kept = self._kept.get(recording_id)
        return None if kept is None else kept.agents.get(agent_id)

    async def agents(self, recording_id: str, first: int = 0, last: int | None = None) -> dict[str, int]:
        kept = self._kept.get(recording_id)
        numbers = sorted(kept.agents.items(), key=lambda one: one[1]) if kept is not None else []
        return {name: number for name, number in numbers if first <= number and (last is None or number <= last)}

    async def remove(self, recording_id: str, kinds: Sequence[Kind] | None, budget: int) -> int:
        kept = self._kept.get(recording_id)
        if kept is None:
            return 0
        names = [name for name in kept.blocks if kinds is None or name[0] in kinds][:budget]
        self._room += _size(kept.blocks.pop(name) for name in names)
        gone = len(names)
        if kinds is None:
            agents = list(kept.agents)[: budget - gone]
            for agent_id in agents:
                del kept.agents[agent_id]
            gone += len(agents)
            if gone < budget:
                del self._kept[recording_id]
                gone += 1
        return gone

    def _newest(self) -> list[Recording]:
        return sorted((kept.recording for kept in self._kept.values()), key=_place, reverse=True)

    def _blocks(self, recording_id: str) -> Named:
        kept = self._kept.get(recording_id)
        return {} if kept is None else kept.blocks


def _place(recording: Recording) -> Place:
    return Place(recording.created_at, recording.id)


def _size(blocks: Iterable[Block]) -> int:
    return sum(len(block.body) for block in blocks)
