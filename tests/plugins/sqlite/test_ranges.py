from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from clawatch_plugins.sqlite.ranges import grain_of, rows_of
from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.ports import Invalid


def plan(store: SqliteStore, buckets: tuple[int, int], keys: str | None) -> str:
    condition, arguments = rows_of(buckets, keys)
    query = f"EXPLAIN QUERY PLAN SELECT * FROM minute_latencies WHERE {condition}"
    return str(store._con.execute(query, arguments).fetchone()[3])


async def test_rows_of_a_few_agents_are_sought_and_those_of_many_read_through(store: SqliteStore) -> None:
    sought, read = "(bucket=? AND agent=?)", "(bucket>? AND bucket<?)"
    few, many = json.dumps([1, 2]), json.dumps(list(range(1, 60)))
    assert plan(store, (0, 24 * 60), few).endswith(sought)
    assert plan(store, (0, 24 * 60), many).endswith(read)
    assert plan(store, (0, 10**9), few).endswith(read), "a range may have no end"
    assert plan(store, (0, 24 * 60), None).endswith(read)


@pytest.mark.parametrize("keys", [None, "[]", "[1]", "[1, 3]", json.dumps(list(range(1, 10_000)))])
@pytest.mark.parametrize("buckets", [(0, 0), (5, 5), (7, 5), (3, 6), (0, 100)])
def test_either_way_finds_the_same_rows(tmp_path: Path, buckets: tuple[int, int], keys: str | None) -> None:
    with closing(sqlite3.connect(tmp_path / "rows.db")) as con:
        con.execute("CREATE TABLE rows (bucket INTEGER, agent INTEGER, PRIMARY KEY (bucket, agent))")
        rows = [(bucket, agent) for bucket in range(10) for agent in (1, 2, 3)]
        con.executemany("INSERT INTO rows VALUES (?, ?)", rows)
        condition, arguments = rows_of(buckets, keys)
        found = con.execute(f"SELECT bucket, agent FROM rows WHERE {condition}", arguments).fetchall()
    agents = (1, 2, 3) if keys is None else json.loads(keys)
    assert set(found) == {(b, a) for b in range(*buckets) for a in (1, 2, 3) if b < 10 and a in agents}


def test_the_coarsest_grain_that_makes_up_a_step_is_read() -> None:
    steps = (MINUTE, 5 * MINUTE, HOUR, 90 * MINUTE, 6 * HOUR, DAY, 7 * DAY)
    assert [grain_of(step) for step in steps] == [MINUTE, MINUTE, HOUR, MINUTE, HOUR, DAY, DAY]
    for step in (0, -HOUR, 1000):
        with pytest.raises(Invalid):
            grain_of(step)
