"""Latencies and gauges: what stands beside the sums, in tables of its own, for agents that report any."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from clawatch.domain.access import matches
from clawatch.domain.gauges import Gauge
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import Millis
from clawatch.ports import GaugePoint, Invalid, LatencyPoint
from clawatch_plugins.sqlite.books import Recent
from clawatch_plugins.sqlite.bulk import Bulk
from clawatch_plugins.sqlite.journal import agents_matching
from clawatch_plugins.sqlite.ranges import grain_of, rows_of
from clawatch_plugins.sqlite.schema import GRAINS

SketchKey = tuple[Millis, int, int]
"""(grain, bucket, agent)."""
K = TypeVar("K")

_LATENCY_COLUMNS = "agent, bins, total, low, high"
_GAUGE_COLUMNS = "agent, name, count, sum, last, last_at, rise"
_LATENCIES = {
    grain: Bulk(f"INSERT OR REPLACE INTO {name}_latencies", 6)
    for grain, name in GRAINS.items()
}  # fmt: skip
_GAUGES = {
    grain: Bulk(
        f"INSERT INTO {name}_gauges", 8,
        "ON CONFLICT (bucket, agent, name) DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum,"
        " last = iif(excluded.last_at >= last_at, excluded.last, last), last_at = max(last_at, excluded.last_at),"
        " rise = rise + excluded.rise",
    )
    for grain, name in GRAINS.items()
}  # fmt: skip


# -- writing


def write_latencies(
    con: sqlite3.Connection, known: Recent[SketchKey, Sketch], added: Mapping[tuple[Millis, int], Sketch]
) -> None:
    """Add sketches of (minute, agent) to every grain's. ``known`` holds them before the commit: void if it fails."""
    for grain, table in _LATENCIES.items():
        grown: dict[SketchKey, Sketch] = {}
        for (minute, agent), sketch in added.items():
            key = (grain, minute // grain, agent)
            found = grown.get(key)
            if found is None:
                found = grown[key] = known.get(key) or _sketch(con, *key) or Sketch()
            found.merge(sketch)
        table.write(con, [(key[1], key[2], s.total, s.low, s.high, s.pack()) for key, s in grown.items()])
        known.update(grown)


def _sketch(con: sqlite3.Connection, grain: Millis, bucket: int, agent: int) -> Sketch | None:
    query = f"SELECT bins, total, low, high FROM {GRAINS[grain]}_latencies WHERE bucket = ? AND agent = ?"  # noqa: S608
    row = con.execute(query, (bucket, agent)).fetchone()
    return None if row is None else Sketch.unpack(*row)


def write_gauges(con: sqlite3.Connection, added: Mapping[tuple[Millis, int, int], Gauge]) -> None:
    """Add the readings of (minute, agent, name) to every grain's."""
    for grain, table in _GAUGES.items():
        gauges: dict[tuple[int, int, int], Gauge] = {}
        for (minute, agent, name), gauge in added.items():
            _add(gauges, (minute // grain, agent, name), gauge)
        table.write(con, [(*key, g.count, g.sum, g.last, g.last_at, g.rise) for key, g in gauges.items()])


def _add(gauges: dict[K, Gauge], key: K, gauge: Gauge) -> None:
    gauges[key] = gauges[key] + gauge if key in gauges else gauge


# -- reading


def latencies(
    con: sqlite3.Connection, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
) -> list[LatencyPoint]:
    if by not in ("agent", ""):
        raise Invalid("latencies are grouped by agent or nothing")
    sketches: dict[tuple[Millis, int], Sketch] = {}
    for at, agent, *sketch in _read(con, "latencies", _LATENCY_COLUMNS, (since, until, step), agents):
        sketches.setdefault((at, agent if by else 0), Sketch()).merge(Sketch.unpack(*sketch))
    names = {0: "", **(_names(con, "agent_names") if by else {})}
    points = [LatencyPoint(at, names[agent], sketch) for (at, agent), sketch in sketches.items()]
    return sorted(points, key=lambda point: (point.at, point.group))


def gauges(
    con: sqlite3.Connection, since: Millis, until: Millis, step: Millis, agents: tuple[str, ...],
    names: tuple[str, ...],
) -> list[GaugePoint]:
    found: dict[tuple[Millis, int, int], Gauge] = {}
    wanted = {key: name for key, name in _names(con, "gauge_names").items() if matches(names, name)}
    for at, agent, name, count, total, last, last_at, rise in _read(
        con, "gauges", _GAUGE_COLUMNS, (since, until, step), agents
    ):
        if name in wanted:
            _add(found, (at, agent, name), Gauge(count=count, sum=total, last=last, last_at=last_at, rise=int(rise)))
    agent_names = _names(con, "agent_names")
    points = [GaugePoint(at, agent_names[agent], wanted[name], gauge) for (at, agent, name), gauge in found.items()]
    return sorted(points, key=lambda point: (point.at, point.agent_id, point.name))


def _read(
    con: sqlite3.Connection, table: str, columns: str, bounds: tuple[Millis, Millis, Millis], agents: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """Rows in ascending order of their buckets; the first column is the start of their step."""
    since, until, step = bounds
    grain = grain_of(step)
    steps = (-(-since // step) * step // grain, -(-until // step) * step // grain)
    condition, arguments = rows_of(steps, agents_matching(con, agents))
    query = f"SELECT bucket, {columns} FROM {GRAINS[grain]}_{table} WHERE {condition} ORDER BY bucket"  # noqa: S608
    for bucket, *values in con.execute(query, arguments):
        at = bucket * grain
        yield (at - at % step, *values)


def _names(con: sqlite3.Connection, table: str) -> dict[int, str]:
    return dict(con.execute(f"SELECT key, name FROM {table}"))  # noqa: S608 (a constant)
