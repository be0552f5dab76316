"""The journal's readers: from memory, from the store, by cursor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clawatch import journal as journal_module
from clawatch.domain.events import Event, EventType
from clawatch.journal import Journal
from clawatch.testing.memory import MemoryStore


async def written(count: int) -> tuple[Journal, MemoryStore]:
    store = MemoryStore()
    journal = Journal(store)
    store.listen(journal.apply)
    for i in range(count):
        await store.append([Event(agent_id="a", type=EventType.HEARTBEAT, at=i)], i)
    return journal, store


async def test_reading_goes_on_behind_what_was_read() -> None:
    journal, _ = await written(10)
    first = await journal.read(0, 4)
    rest = await journal.read(first[-1].seq, 100)
    assert [entry.seq for entry in first + rest] == list(range(1, 11))


async def test_who_has_fallen_behind_memory_reads_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RECENT", 3)
    journal, _ = await written(10)
    seen: list[int] = []
    while entries := await journal.read(seen[-1] if seen else 0, 2):
        seen += [entry.seq for entry in entries]
    assert seen == list(range(1, 11))


@pytest.mark.parametrize("data", [{"text": "x" * 1_000}, {"nested": [{}] * 400}])
async def test_entries_that_say_much_are_read_from_the_store_rather_than_kept(
    monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]
) -> None:
    monkeypatch.setattr(journal_module, "RECENT_BYTES", 3_000)
    store = MemoryStore()
    journal = Journal(store)
    store.listen(journal.apply)
    for i in range(10):
        await store.append([Event(agent_id="a", type=EventType.MESSAGE, at=i, data=data)], i)
    assert len(journal._recent) <= 3
    seen: list[int] = []
    while entries := await journal.read(seen[-1] if seen else 0, 2):
        seen += [entry.seq for entry in entries]
    assert seen == list(range(1, 11))
    await store.append([Event(agent_id="a", type=EventType.MESSAGE, at=10, data={"text": "x" * 9_000})], 10)
    assert [entry.seq for entry in await journal.read(10, 5)] == [11]


async def test_waiting_ends_when_the_journal_grows_or_time_is_over() -> None:
    journal, store = await written(1)
    await journal.wait(0, 60.0)
    await journal.wait(1, 0.001)
    waiting = asyncio.ensure_future(journal.wait(1, 60.0))
    await asyncio.sleep(0)
    await store.append([Event(agent_id="a", type=EventType.HEARTBEAT, at=0)], 0)
    await asyncio.wait_for(waiting, 5)


async def test_a_cursor_names_a_place_in_this_store_only() -> None:
    journal, store = await written(3)
    assert journal.seq_of(journal.cursor()) == 3
    assert journal.seq_of(f"{store.id}.0") == 0


@pytest.mark.parametrize(
    "cursor", ["", "x", "other.1", "{id}.4", "{id}.-1", "{id}.", "{id}.1e1", "{id}." + "9" * 30, "{id}.²", "{id}.٣"]
)
async def test_a_cursor_that_means_nothing_here_is_refused(cursor: str) -> None:
    journal, store = await written(3)
    assert journal.seq_of(cursor.replace("{id}", store.id)) is None


async def test_a_pruned_cursor_is_refused() -> None:
    store: Any = MemoryStore(size=1000)
    journal = Journal(store)
    store.listen(journal.apply)
    for i in range(1500):
        await store.append([Event(agent_id="a", type=EventType.HEARTBEAT, at=i)], i)
    assert journal.seq_of(f"{store.id}.1") is None
    assert journal.seq_of(f"{store.id}.{store.tail - 1}") == store.tail - 1
