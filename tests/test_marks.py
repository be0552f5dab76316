"""Marks are small, and kept by the store."""

from __future__ import annotations

import pytest

from clawatch.marks import MAX_NAME, MAX_VALUE, Marks
from clawatch.ports import Invalid, PassingMarks
from clawatch.testing.memory import MemoryStore


@pytest.mark.parametrize("make", [lambda: Marks(MemoryStore()), PassingMarks])
async def test_a_source_reads_what_it_has_written(make: object) -> None:
    marks = make()  # type: ignore[operator]
    await marks.write("tail", {"a": "1", "b": "2"})
    await marks.write("tail", {"a": None, "b": "3"})
    assert await marks.read("tail") == {"b": "3"}
    assert await marks.read("other") == {}


@pytest.mark.parametrize("mark", [{"n" * (MAX_NAME + 1): "1"}, {"n": "v" * (MAX_VALUE + 1)}])
async def test_a_mark_that_is_not_small_is_refused(mark: dict[str, str]) -> None:
    marks = Marks(MemoryStore())
    with pytest.raises(Invalid):
        await marks.write("tail", {"good": "1", **mark})
    assert await marks.read("tail") == {}
