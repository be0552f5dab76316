"""Which rows of a rollup a series is read from."""

from __future__ import annotations

import json

from clawatch.domain.time import MINUTE, Millis
from clawatch.ports import Invalid
from clawatch_plugins.sqlite.schema import GRAINS

_MOST_SEEKS = 50_000
"""Rows that are looked up one by one rather than found among all the others; beyond, the whole range is read."""


def grain_of(step: Millis) -> Millis:
    """The coarsest grain whose buckets make up steps of this length."""
    if step <= 0 or step % MINUTE:
        raise Invalid("a series has steps of whole minutes")
    return max(grain for grain in GRAINS if step % grain == 0)


def rows_of(buckets: tuple[int, int], keys: str | None) -> tuple[str, tuple[object, ...]]:
    """A condition, and its arguments, for the buckets from the first up to the second and these agents (None: all).

    Rows lie by bucket, then agent: of a few agents each row is cheaper to seek than to find among all others.
    """
    if keys is None:
        return "bucket >= ? AND bucket < ?", buckets
    first, last = buckets
    if (last - first) * len(json.loads(keys)) > _MOST_SEEKS:
        return "bucket >= ? AND bucket < ? AND agent IN (SELECT value FROM json_each(?))", (*buckets, keys)
    each = "WITH RECURSIVE each(n) AS (SELECT ? WHERE ? < ? UNION ALL SELECT n + 1 FROM each WHERE n + 1 < ?)"
    condition = f"bucket IN ({each} SELECT n FROM each) AND agent IN (SELECT value FROM json_each(?))"  # noqa: S608
    return condition, (first, first, last, last, keys)
