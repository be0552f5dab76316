from __future__ import annotations

from clawatch_plugins.sqlite.books import Recent
from clawatch_plugins.sqlite.figures import SketchKey, write_latencies
from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.sketches import Sketch
from clawatch.domain.time import DAY, HOUR, MINUTE


def sketch_of(*ms: float) -> Sketch:
    sketch = Sketch()
    for one in ms:
        sketch.add(one)
    return sketch


async def test_a_sketch_that_is_remembered_grows_only_with_the_commit(store: SqliteStore) -> None:
    """What a failed transaction has written must not be counted again by the next."""
    key: SketchKey = (MINUTE, 0, 1)
    known: Recent[SketchKey, Sketch] = Recent()
    known.update({key: sketch_of(1)})
    written = write_latencies(store._con, known, {(0, 1): sketch_of(2)})
    assert known.get(key) == sketch_of(1)
    assert written == {key: sketch_of(1, 2), (HOUR, 0, 1): sketch_of(2), (DAY, 0, 1): sketch_of(2)}


async def test_what_is_no_longer_remembered_is_read(store: SqliteStore) -> None:
    nothing: Recent[SketchKey, Sketch] = Recent()
    write_latencies(store._con, nothing, {(0, 1): sketch_of(1)})
    assert write_latencies(store._con, nothing, {(MINUTE, 1): sketch_of(2)}) == {
        (MINUTE, 1, 1): sketch_of(2), (HOUR, 0, 1): sketch_of(1, 2), (DAY, 0, 1): sketch_of(1, 2),
    }  # fmt: skip
