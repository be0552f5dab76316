from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.sqlite import journal
from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.access import Key, Scope
from clawatch.domain.events import EventType
from clawatch.domain.journal import Committed
from clawatch.domain.time import DAY, HOUR
from clawatch.ports import EventFilter, Invalid, RetentionPolicy, StoreUnavailable
from clawatch.testing.store_contract.examples import NOW, alert, alerts_unit, call, event, spend

KEY = Key(name="cli", hash="00", scopes=(Scope.READ,))


async def test_waiting_writers_share_a_commit(store: SqliteStore) -> None:
    heard: list[Committed] = []
    store.listen(heard.append)
    await asyncio.gather(*(store.append([event()], NOW) for _ in range(500)))
    assert sum(len(committed.entries) for committed in heard) == 500
    assert len(heard) < 100


@pytest.mark.parametrize("data", [{"text": "\ud800"}, {"what": object()}, {1.5: {(1, 2): 3}}])
async def test_what_cannot_be_stored_is_refused_alone(store: SqliteStore, data: dict[str, Any]) -> None:
    results = await asyncio.gather(
        store.append([event("a")], NOW),
        store.append([event("b"), event("b", data=data)], NOW),
        store.append([event("c")], NOW),
        return_exceptions=True,
    )
    assert isinstance(results[1], Invalid)
    assert [entry.agent_id for entry in await store.read(0, 10)] == ["a", "c"]
    assert (await store.health()).ok


async def test_a_caller_that_gives_up_holds_up_nobody(store: SqliteStore) -> None:
    impatient = asyncio.create_task(store.append([event("a")], NOW))
    await asyncio.sleep(0)
    impatient.cancel()
    await store.append([event("b")], NOW)
    assert [entry.agent_id for entry in await store.read(0, 10)] == ["a", "b"]


async def test_a_listener_that_fails_does_not_hold_up_the_writers(store: SqliteStore) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    heard: list[Committed] = []

    def fail(committed: Committed) -> None:
        raise LookupError("oops")

    store.listen(fail)
    store.listen(heard.append)
    assert (await store.append([event()], NOW))[0].seq == 1
    assert len(heard) == 1
    assert isinstance(complaints[0]["exception"], LookupError)


async def test_closing_writes_what_is_waiting(path: Path) -> None:
    store = await SqliteStore.open(path)
    waiting = [asyncio.create_task(store.append([event()], NOW)) for _ in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(batch[0].seq for batch in await asyncio.gather(*waiting)) == list(range(1, 51))
    with pytest.raises(StoreUnavailable):
        await store.append([event()], NOW)
    with pytest.raises(StoreUnavailable):
        await store.read(0, 1)


# -- trouble


async def test_a_locked_file_is_unavailable_and_later_writes_work(store: SqliteStore, path: Path) -> None:
    await store.append([event("a", id="1")], NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.append([event("b", id="2")], NOW)
        assert not (await store.health()).ok
        assert len(await store.read(0, 10)) == 1
        other.execute("ROLLBACK")
    assert [(one.seq, one.is_new) for one in await store.append([event("b", id="2")], NOW)] == [(2, True)]
    assert (await store.health()).ok
    assert {agent.id for agent in await store.agents()} == {"a", "b"}


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process can grow beyond ``room`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_unavailable_and_loses_nothing_acknowledged(store: SqliteStore, path: Path) -> None:
    acknowledged = []
    wal = path.with_name(path.name + "-wal")
    with full_disk(wal.stat().st_size + 200_000), pytest.raises(StoreUnavailable):
        for n in range(1_000):
            await store.append([spend(id=str(n), data={"text": "x" * 2_000})], NOW)
            acknowledged.append(str(n))
    assert acknowledged
    assert store.head == len(acknowledged)
    await store.append([spend(id="after")], NOW)
    stored = [entry.body.id for entry in await store.read(0, 10_000)]  # type: ignore[union-attr]
    assert stored == [*acknowledged, "after"]
    [agent] = await store.agents()
    assert agent.cost == len(stored) * 1_000_000_000


# -- other processes


async def test_keys_that_the_command_line_writes_are_seen_at_once(store: SqliteStore, path: Path) -> None:
    await store.append([event()], NOW)
    command_line = await SqliteStore.open(path)
    await asyncio.gather(command_line.put_key(KEY), *(store.append([event()], NOW) for _ in range(50)))
    await command_line.put_login("code", NOW + HOUR)
    await command_line.close()
    assert await store.keys() == [KEY]
    assert await store.take_login("code", NOW)
    assert store.head == 51


# -- backups


async def test_a_backup_under_load_is_a_store_of_its_own(store: SqliteStore, tmp_path: Path) -> None:
    async def write() -> None:
        for n in range(300):
            await store.append([spend(f"a{n % 3}", id=str(n))], NOW)

    writing = asyncio.create_task(write())
    await store.append([spend("first")], NOW)
    target = tmp_path / "copy.db"
    await store.backup(target)
    await writing
    assert target.stat().st_mode & 0o777 == 0o600
    assert {file.name for file in tmp_path.glob("copy*")} == {"copy.db"}
    copy = await SqliteStore.open(target)
    entries = await copy.read(0, 1_000)
    assert [entry.seq for entry in entries] == list(range(1, copy.head + 1))
    assert sum(agent.cost for agent in await copy.agents()) == len(entries) * 1_000_000_000
    assert copy.id == store.id
    await copy.close()


async def test_a_backup_to_nowhere_says_so(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot be written"):
        await store.backup(tmp_path / "no" / "such" / "copy.db")


# -- what is left behind


async def test_pruning_leaves_nothing_of_an_event_behind(store: SqliteStore) -> None:
    await store.append([call(id=f"c{n}", session_id="s") for n in range(20)], NOW)
    await store.append([spend(call_id=f"c{n}", session_id="s", rank=1, id=f"e{n}") for n in range(20)], NOW)
    policy = RetentionPolicy(events=DAY, minutes=DAY, hours=DAY, alerts=DAY)
    while await store.prune(policy, NOW + 3 * DAY, 7):
        pass
    left = {
        table: store._con.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("journal", "completed", "idents", "session_cells", "session_ranks", "minutes", "hours", "days")
    }
    assert {table for table, count in left.items() if count} == {"days"}


async def test_a_page_that_takes_too_long_to_find_comes_in_parts(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append([event(type=EventType.ERROR, data={"n": 1})], NOW)
    await store.append([event() for _ in range(300)], NOW)
    monkeypatch.setattr(journal, "_FIRST_WINDOW", 40)
    monkeypatch.setattr(journal, "_LONGEST_SEARCH", 0.0)
    pages = [await store.events(EventFilter(types=(EventType.ERROR,)), None, 5)]
    while pages[-1].next is not None:
        pages.append(await store.events(EventFilter(types=(EventType.ERROR,)), pages[-1].next, 5))
    assert len(pages) > 2
    assert [entry.seq for page in pages for entry in page.items] == [1]


async def test_ragged_minutes_are_found_by_an_index(store: SqliteStore) -> None:
    from clawatch_plugins.sqlite.sums import _SPENDING

    plan = store._con.execute(f"EXPLAIN QUERY PLAN {_SPENDING}", (0, 1, None, None)).fetchall()
    assert any("journal_spends (happened>? AND happened<?)" in row[3] for row in plan)


async def test_commits_without_events_do_not_take_the_writer_lock_from_a_daemon(store: SqliteStore, path: Path) -> None:
    await store.put_key(KEY)
    daemon = await SqliteStore.open(path)
    await daemon.commit(alerts_unit(alert()), NOW)
    await daemon.close()


async def test_a_question_that_makes_no_sense_is_refused(store: SqliteStore) -> None:
    await store.append([event()], NOW)
    with pytest.raises(Invalid):
        await store.events(EventFilter(agent_id="\ud800"), None, 5)
    with pytest.raises(Invalid):
        await store.read(2**70, 5)
    assert len((await store.events(EventFilter(agent_id="a' OR 1=1 --"), None, 5)).items) == 0
