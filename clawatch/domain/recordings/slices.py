"""Slices: the values of some metrics at some ticks, out of the columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from clawatch.domain.recordings.lines import Number, Parted
from clawatch.domain.recordings.numbers import Column, Numbers, unpack_column, unpack_group
from clawatch.domain.recordings.recording import Part, Recording, unpack_binary


class Slice(Struct, frozen=True, kw_only=True):
    """Which values are wanted: those of ``metrics`` at every ``resolution``-th tick from ``first`` to ``last``."""

    first: int
    last: int
    """Inclusive."""
    resolution: int = 1
    metrics: tuple[str, ...]
    segments: tuple[str, ...] = ()
    """With these or ``regions``, a value is the mean over the chosen ones, by population where that is known."""
    regions: tuple[str, ...] = ()

    @property
    def ticks(self) -> range:
        return range(self.first, self.last + 1, self.resolution)

    @property
    def size(self) -> int:
        return len(self.ticks) * len(self.metrics) * (1 + len(self.segments) + len(self.regions))


class Wanted(Struct, frozen=True):
    """A metric's columns."""

    metric: str
    whole: int
    segments: dict[str, int]
    regions: dict[str, int]


def wanted_of(recording: Recording, where: Slice) -> list[Wanted]:
    segments = {part.name: place for place, part in enumerate(recording.segments, 1)}
    regions = {part.name: place for place, part in enumerate(recording.regions, 1 + len(segments))}
    found = []
    for metric in where.metrics:
        whole = recording.column(metric)
        found.append(Wanted(
            metric, whole, {name: whole + segments[name] for name in where.segments},
            {name: whole + regions[name] for name in where.regions},
        ))
    return found


def keys_of(wanted: Iterable[Wanted]) -> list[int]:
    """All columns that have to be read; 0 holds the ticks."""
    keys = {0}
    for one in wanted:
        parts = (*one.segments.values(), *one.regions.values())
        keys.update(parts or (one.whole,))
    return sorted(keys)


class Chunk:
    """Some columns of a chunk, decoded once."""

    def __init__(self, bodies: Mapping[int, bytes]) -> None:
        ticks = unpack_binary(bodies[0], Numbers)
        # As many numbers as there are differences, and the first.
        self.ticks: list[int] = unpack_group(ticks, [len(ticks.planes) // ticks.width + 1], 0)
        count = [len(self.ticks)]
        self._columns = {
            key: unpack_column(unpack_binary(body, Column), count, 0) for key, body in bodies.items() if key
        }

    def value(self, key: int, tick: int) -> Number:
        """At the last recorded tick that is not behind this one."""
        place = bisect_right(self.ticks, tick) - 1
        value: Number = self._columns[key][place]
        return value


def points(
    chunk: Chunk | None, ticks: Iterable[int], wanted: Iterable[Wanted], recording: Recording
) -> Iterator[dict[str, Any]]:
    """A point for each tick, all within the chunk; without one nothing has been recorded yet: values are null."""
    segments, regions = _populations(recording.segments), _populations(recording.regions)
    for tick in ticks:
        point: dict[str, Any] = {"tick": tick}
        by_segment: Parted = {}
        by_region: Parted = {}
        for one in wanted:
            if not (one.segments or one.regions):
                point[one.metric] = _value(chunk, one.whole, tick)
                continue
            means = []
            for columns, populations, parts in (
                (one.segments, segments, by_segment), (one.regions, regions, by_region),
            ):  # fmt: skip
                if columns:
                    parts[one.metric] = {name: _value(chunk, key, tick) for name, key in columns.items()}
                    means.append(mean(parts[one.metric], populations))
            known = [value for value in means if value is not None]
            point[one.metric] = sum(known) / len(known) if known else None
        if by_segment:
            point["by_segment"] = by_segment
        if by_region:
            point["by_region"] = by_region
        yield point


def mean(parts: Mapping[str, Number], populations: Mapping[str, int]) -> float | None:
    """Over those that have a value; by population where every one's is known, else each counts the same."""
    known = {name: value for name, value in parts.items() if value is not None}
    if not known:
        return None
    weights = {name: populations.get(name, 0) for name in known}
    if not all(weights.values()):
        weights = dict.fromkeys(known, 1)
    return sum(value * weights[name] for name, value in known.items()) / sum(weights.values())


def _value(chunk: Chunk | None, key: int, tick: int) -> Number:
    return None if chunk is None else chunk.value(key, tick)


def _populations(parts: tuple[Part, ...]) -> dict[str, int]:
    return {part.name: part.population for part in parts}
