"""The contract of ``RecordingsStore`` as tests. A store passes when a subclass with a ``recordings`` fixture does.

::

    class TestMyRecordings(RecordingsContract):
        @pytest.fixture
        async def recordings(self, tmp_path):
            async with open_my_store(...) as store:
                yield store.recordings

Needs pytest with pytest-asyncio in auto mode.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from clawatch.domain.recordings import Block, Kind, Recording, Stage
from clawatch.ports import Conflict, Invalid, RecordingsStore

NODE = "4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"
OTHER = "9d2e4f10-0000-4000-8000-000000000001"
NOW = 1_773_064_800_000


def recording(id: str = "rec_1", **fields: Any) -> Recording:
    values: dict[str, Any] = {
        "node_id": NODE, "run_id": "r", "owner": "ann", "created_at": NOW, "touched_at": NOW, "keyframe_interval": 10
    } | fields  # fmt: skip
    return Recording(id=id, **values)


def ids(found: Any) -> list[str]:
    return [one.id for one in found]


def block(kind: Kind, key: int, part: int = 0, body: bytes = b"body") -> Block:
    return Block(kind, key, part, body)


class RecordingsContract:
    async def test_a_recording_is_kept_as_it_was_last(self, recordings: RecordingsStore) -> None:
        first = recording(metrics=("adoption_rate",), started_at=NOW)
        await recordings.create(first)
        assert await recordings.recording("rec_1") == first
        await recordings.advance(replace(first, version=2, total_ticks=7), 1)
        found = await recordings.recording("rec_1")
        assert found is not None and (found.version, found.total_ticks) == (2, 7)
        assert await recordings.recording("rec_2") is None

    async def test_an_id_is_used_once(self, recordings: RecordingsStore) -> None:
        await recordings.create(recording())
        with pytest.raises(Conflict):
            await recordings.create(recording())

    async def test_who_comes_second_writes_nothing(self, recordings: RecordingsStore) -> None:
        """Neither its state nor its blocks nor its agents."""
        await recordings.create(recording())
        await recordings.advance(recording(version=2), 1)
        with pytest.raises(Conflict):
            await recordings.advance(recording(version=2, total_ticks=9), 1, [block(Kind.FRAME, 0)], {"a": 0})
        with pytest.raises(Conflict):
            await recordings.advance(recording("rec_none", version=2), 1)
        assert await recordings.blocks("rec_1", [Kind.FRAME], [0]) == []
        assert await recordings.agents("rec_1") == {}

    async def test_blocks_are_fetched_by_kind_key_and_part(self, recordings: RecordingsStore) -> None:
        await recordings.create(recording())
        blocks = [block(kind, key, part, f"{kind}.{key}.{part}".encode())
                  for kind in (Kind.SPAN, Kind.COLUMN) for key in (2, 0, 1) for part in (1, 0, 2)]  # fmt: skip
        await recordings.advance(recording(version=2), 1, blocks)

        async def bodies(*arguments: Any) -> list[str]:
            return [one.body.decode() for one in await recordings.blocks("rec_1", *arguments)]

        assert await bodies([Kind.SPAN], [1]) == ["3.1.0", "3.1.1", "3.1.2"]
        assert await bodies([Kind.COLUMN], [2, 0], 1, 1) == ["2.0.1", "2.2.1"]
        assert await bodies([Kind.SPAN, Kind.COLUMN, Kind.REASONS], [0], 2) == ["2.0.2", "3.0.2"]
        assert await bodies([Kind.FRAME], [0]) == []
        assert await recordings.blocks("rec_none", [Kind.SPAN], [1]) == []

    async def test_a_block_of_the_same_name_is_replaced(self, recordings: RecordingsStore) -> None:
        await recordings.create(recording())
        await recordings.advance(recording(version=2), 1, [block(Kind.SPAN, 3, 1, b"old")])
        await recordings.advance(recording(version=3), 2, [block(Kind.SPAN, 3, 1, b"new\x00\xff")])
        [found] = await recordings.blocks("rec_1", [Kind.SPAN], [3])
        assert found == block(Kind.SPAN, 3, 1, b"new\x00\xff")

    async def test_the_nearest_block_before_a_key_is_found(self, recordings: RecordingsStore) -> None:
        await recordings.create(recording())
        frames = [block(Kind.FRAME, key, body=str(key).encode()) for key in (0, 10, 40)]
        await recordings.advance(recording(version=2), 1, [*frames, block(Kind.COLUMN, 30)])

        async def key(before: int) -> int | None:
            found = await recordings.block_before("rec_1", Kind.FRAME, before)
            return None if found is None else found.key

        assert [await key(n) for n in (0, 9, 10, 39, 40, 99)] == [0, 0, 10, 10, 40, 40]
        assert await key(-1) is None
        assert await recordings.block_before("rec_none", Kind.FRAME, 9) is None

    async def test_agents_have_numbers(self, recordings: RecordingsStore) -> None:
        """Whatever their ids look like, also those that are UUIDs, or nearly."""
        named = [OTHER, OTHER.upper(), "a", "é'; DROP TABLE recordings", "x" * 36, f"{{{OTHER}}}"]
        await recordings.create(recording())
        await recordings.advance(recording(version=2), 1, (), {name: n for n, name in enumerate(named[:3])})
        await recordings.advance(recording(version=3), 2, (), {name: n for n, name in enumerate(named) if n > 2})
        assert await recordings.agents("rec_1") == {name: n for n, name in enumerate(named)}
        assert list(await recordings.agents("rec_1", 1, 3)) == named[1:4]
        assert [await recordings.agent("rec_1", name) for name in named] == list(range(6))
        assert await recordings.agent("rec_1", "none") is None

    async def test_the_recordings_of_a_node_come_newest_first_and_without_those_that_are_gone(
        self, recordings: RecordingsStore
    ) -> None:
        for number, (node, stage) in enumerate(
            [(NODE, Stage.COMPLETE), (OTHER, Stage.COMPLETE), (NODE, Stage.OPEN), (NODE, Stage.GONE)]
        ):
            await recordings.create(recording(f"rec_{number}", node_id=node, stage=stage, created_at=NOW + number // 3))
        assert ids(await recordings.of_node(NODE)) == ["rec_2", "rec_0"]
        assert ids(await recordings.of_node(NODE, 1)) == ["rec_2"]

    async def test_recordings_come_in_pages_newest_first(self, recordings: RecordingsStore) -> None:
        """Those of the same instant neither repeat nor vanish between pages."""
        for number in range(7):
            owner = "ann" if number % 2 else "bob"
            await recordings.create(recording(f"rec_{number}", owner=owner, created_at=NOW + number // 3))
        seen: list[str] = []
        cursor = None
        for _ in range(4):
            page = await recordings.recordings(None, cursor, 2)
            seen += ids(page.items)
            cursor = page.next
        assert (seen, cursor) == ([f"rec_{n}" for n in range(6, -1, -1)], None)
        page = await recordings.recordings("ann", None, 2)
        assert (ids(page.items), ids((await recordings.recordings("ann", page.next, 2)).items)) == (
            ["rec_5", "rec_3"], ["rec_1"],
        )  # fmt: skip

    @pytest.mark.parametrize("cursor", ["", "x", "12", "1."])
    async def test_a_page_behind_a_foreign_cursor_is_refused(self, recordings: RecordingsStore, cursor: str) -> None:
        with pytest.raises(Invalid):
            await recordings.recordings(None, cursor, 10)

    async def test_blocks_of_some_kinds_are_removed_in_portions(self, recordings: RecordingsStore) -> None:
        await recordings.create(recording())
        staged = [block(Kind.STAGED_STEPS, 0, part) for part in range(5)]
        await recordings.advance(recording(version=2), 1, [*staged, block(Kind.SPAN, 0)], {"a": 0})
        gone = [await recordings.remove("rec_1", [Kind.STAGED_STEPS, Kind.STAGED_TICKS], 2) for _ in range(4)]
        assert gone == [2, 2, 1, 0]
        assert len(await recordings.blocks("rec_1", [Kind.SPAN], [0])) == 1
        assert await recordings.agent("rec_1", "a") == 0

    async def test_a_recording_is_removed_in_portions_itself_at_last(self, recordings: RecordingsStore) -> None:
        for name in ("rec_1", "rec_2"):
            await recordings.create(recording(name))
            await recordings.advance(recording(name, version=2), 1, [block(Kind.SPAN, n) for n in range(3)], {"a": 0})
        while await recordings.remove("rec_1", None, 2):
            pass
        assert await recordings.recording("rec_1") is None
        assert await recordings.agents("rec_1") == {}
        assert len(await recordings.blocks("rec_2", [Kind.SPAN], [0, 1, 2])) == 3
        await recordings.create(recording("rec_3"))
        assert await recordings.blocks("rec_3", [Kind.SPAN], [0, 1, 2]) == []
