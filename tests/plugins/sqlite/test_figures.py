from __future__ import annotations

import asyncio
import sqlite3

import pytest
from clawatch_plugins.sqlite.books import Recent
from clawatch_plugins.sqlite.figures import SketchKey, write_latencies
from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.journal import Unit
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.testing.store_contract.examples import NOW, event


def sketch_of(*ms: float) -> Sketch:
    sketch = Sketch()
    for one in ms:
        sketch.add(one)
    return sketch


async def test_what_a_failed_transaction_has_counted_is_not_counted_again(store: SqliteStore) -> None:
    await store.append([event(latency_ms=1)], NOW)
    store._con.execute("CREATE TEMP TRIGGER fails BEFORE INSERT ON offsets BEGIN SELECT raise(ABORT, 'no'); END")
    written = store.append([event(latency_ms=2)], NOW)
    with pytest.raises(sqlite3.IntegrityError):  # in one transaction, then each in one of its own
        await asyncio.gather(store.commit(Unit(offsets={"rules": 1}), NOW), written)
    await store.append([event(latency_ms=3)], NOW)
    for step in (MINUTE, HOUR, DAY):
        [point] = await store.latencies(NOW - DAY, NOW + DAY, step, "", ("*",))
        assert point.sketch == sketch_of(1, 2, 3)


async def test_what_is_remembered_grows(store: SqliteStore) -> None:
    known: Recent[SketchKey, Sketch] = Recent()
    known.update({(MINUTE, 0, 1): sketch_of(1)})
    write_latencies(store._con, known, {(0, 1): sketch_of(2), (MINUTE, 1): sketch_of(3)})
    assert known.get((MINUTE, 0, 1)) == sketch_of(1, 2)
    assert known.get((MINUTE, 1, 1)) == sketch_of(3)
    assert known.get((HOUR, 0, 1)) == known.get((DAY, 0, 1)) == sketch_of(2, 3)


async def test_what_is_no_longer_remembered_is_read(store: SqliteStore) -> None:
    write_latencies(store._con, Recent(), {(0, 1): sketch_of(1)})
    known: Recent[SketchKey, Sketch] = Recent()
    write_latencies(store._con, known, {(MINUTE, 1): sketch_of(2)})
    assert known.get((MINUTE, 1, 1)) == sketch_of(2)
    assert known.get((HOUR, 0, 1)) == known.get((DAY, 0, 1)) == sketch_of(1, 2)
