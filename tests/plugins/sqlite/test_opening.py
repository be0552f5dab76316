from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import clawatch_plugins.sqlite as plugin
import pytest
from clawatch_plugins.sqlite.schema import MEASURES
from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.events import Counter, EventType, Usage
from clawatch.domain.journal import Measures
from clawatch.domain.time import DAY
from clawatch.ports import ClaWatchError, RetentionPolicy, StoreUnavailable
from clawatch.testing.store_contract.examples import NOW, alert, alerts_unit, cost_of, event, spend


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def open_error(path: Path) -> str:
    with pytest.raises(ClaWatchError) as caught:
        await SqliteStore.open(path, busy_timeout=0.1)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


async def test_directory_and_file_are_for_their_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "made" / "data"
    async with plugin.open_sqlite(plugin.SqliteSettings(), data_dir) as store:
        await store.append([event()], NOW)
        assert mode(data_dir) == 0o700
        assert {file.name: mode(file) for file in data_dir.iterdir()} == dict.fromkeys(
            ("clawatch.db", "clawatch.db-wal", "clawatch.db-shm", "clawatch.db.lock"), 0o600
        )


async def test_the_path_of_the_settings_is_used(tmp_path: Path) -> None:
    settings = plugin.SqliteSettings(path=tmp_path / "elsewhere" / "my file?#%.db")
    async with plugin.open_sqlite(settings, tmp_path / "data"):
        assert (tmp_path / "elsewhere" / "my file?#%.db").exists()
        assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_durability_decides_whether_a_commit_waits_for_the_disk(
    path: Path, durability: str, synchronous: int
) -> None:
    store = await SqliteStore.open(path, durability)
    assert store._con.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert store._con.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.close()


async def test_everything_is_there_again_after_a_restart(path: Path) -> None:
    store = await SqliteStore.open(path)
    counters = (Counter(series="s", started=1, value=10, measure="input"),)
    await store.append([event("a", id="e1"), spend("b", session_id="s", rank=2)], NOW)
    await store.append([event("c", type=EventType.METRICS, counters=counters)], NOW)
    await store.commit(alerts_unit(alert(), offsets={"rules": 2}), NOW)
    before = (store.id, store.head, store.tail, await store.read(0, 10), await store.agents())
    await store.close()

    store = await SqliteStore.open(path)
    assert (store.id, store.head, store.tail, await store.read(0, 10), await store.agents()) == before
    assert (await store.offset("rules"), await store.open_alerts()) == (2, [alert()])
    counters = (Counter(series="s", started=1, value=12, measure="input"),)
    again = await store.append(
        [event("a", id="e1"), spend("b", session_id="s", rank=1),
         event("c", type=EventType.METRICS, counters=counters, usage=Usage())], NOW,
    )  # fmt: skip
    assert [one.is_new for one in again] == [False, True, True]
    costs = await store.costs(None, None, ("*",))
    assert (cost_of(costs), {line.agent_id: line.tokens for line in costs.lines}) == (1_000_000_000, {"b": 10, "c": 12})
    await store.close()


async def test_an_emptied_journal_goes_on_counting_after_a_restart(path: Path, store: SqliteStore) -> None:
    await store.append([event(id=str(n)) for n in range(9)], NOW)
    policy = RetentionPolicy(events=DAY, minutes=DAY, hours=DAY, alerts=DAY)
    assert await store.prune(policy, NOW + 2 * DAY, 100) > 9
    await store.close()
    again = await SqliteStore.open(path)
    assert (again.head, again.tail) == (9, 10)
    assert (await again.append([event()], NOW))[0].seq == 10
    await again.close()


async def test_opening_looks_at_the_ends_of_the_journal_only(store: SqliteStore) -> None:
    plan = store._con.execute("EXPLAIN QUERY PLAN SELECT max(seq) FROM journal").fetchall()
    assert [row[3] for row in plan] == ["SEARCH journal"]


async def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_text("dear diary, " * 500)
    assert "not a SQLite database; move it away" in await open_error(path)


async def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE birds (name)")
    before = path.read_bytes()
    assert "another program" in await open_error(path)
    assert path.read_bytes() == before


async def test_a_damaged_file_asks_for_a_backup(path: Path, store: SqliteStore) -> None:
    await store.append([event(f"a{i}") for i in range(500)], NOW)
    await store.close()
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    assert "is damaged" in await open_error(path)


async def test_a_file_of_a_newer_version_is_left_alone(path: Path, store: SqliteStore) -> None:
    await store.close()
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('clawatch', 'warp_drive')")
    assert "newer ClaWatch (it has the migration 'warp_drive')" in await open_error(path)


async def test_a_directory_in_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir()
    assert "directory" in await open_error(path)


async def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be opened" in await open_error(tmp_path / "file" / "data" / "clawatch.db")


async def test_a_second_daemon_cannot_write_the_journal(path: Path, store: SqliteStore) -> None:
    await store.append([event()], NOW)
    second = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable, match="another ClaWatch is running"):
        await second.append([event()], NOW)
    await store.close()
    assert (await second.append([event()], NOW))[0].seq == 2
    await second.close()


def test_every_measure_has_a_column() -> None:
    assert set(MEASURES) == set(Measures.__struct_fields__)
