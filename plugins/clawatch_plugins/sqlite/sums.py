"""Costs and series, from rollups; single events only for the ragged minutes at the ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from clawatch.domain.events import Event
from clawatch.domain.journal import ZERO, Measures
from clawatch.domain.ledger import SessionKey, counts, measures_of
from clawatch.domain.spans import Range, cover
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import CostLine, Costs, Invalid, Point
from clawatch_plugins.sqlite.books import measures_from, read_meta
from clawatch_plugins.sqlite.codec import event_from
from clawatch_plugins.sqlite.journal import agents_matching
from clawatch_plugins.sqlite.ranges import grain_of, rows_of
from clawatch_plugins.sqlite.schema import MEASURES

_TABLES = {DAY: "days", HOUR: "hours", MINUTE: "minutes"}
_OF_AGENTS = "(? IS NULL OR agent IN (SELECT value FROM json_each(?)))"
_SPENDING = (
    "SELECT coalesce(c.body, j.body) FROM journal j LEFT JOIN completed c ON c.seq = j.seq"  # noqa: S608 (a constant)
    f" WHERE j.spends = 1 AND j.happened >= ? AND j.happened < ? AND {_OF_AGENTS}"
)
_GROUPS = {"agent": "agent", "model": "model", "": "0"}
_NAMES = {"agent": "agent_names", "model": "models"}


def costs(con: sqlite3.Connection, since: Millis | None, until: Millis | None, agents: tuple[str, ...]) -> Costs:
    spans = cover(since, until, read_meta(con)[1])
    keys = agents_matching(con, agents)
    sums: dict[tuple[str, str], Measures] = {}
    for grain, ranges in ((DAY, spans.days), (HOUR, spans.hours), (MINUTE, spans.minutes)):
        for span in ranges:
            for agent, model, spent in _rolled_up(con, grain, span, keys):
                sums[agent, model] = sums.get((agent, model), ZERO) + spent
    for span in spans.events:
        for event in _spending(con, span, keys):
            if event.usage is not None:
                key = (event.agent_id, event.usage.model)
                sums[key] = sums.get(key, ZERO) + measures_of(event.usage)
    lines = [CostLine(*key, m.cost, m.tokens, m.unpriced) for key, m in sums.items()]
    lines = [line for line in lines if line.cost or line.tokens or line.unpriced]
    return Costs(tuple(sorted(lines, key=lambda line: (-line.cost, line.agent_id, line.model))), spans.resolution)


def _rolled_up(
    con: sqlite3.Connection, grain: Millis, span: Range, keys: str | None
) -> Iterator[tuple[str, str, Measures]]:
    rows = _summed(
        con,
        f"SELECT a.name, m.name, s.* FROM (SELECT agent, model, {{sums}} FROM {_TABLES[grain]}"  # noqa: S608 (constants)
        f" WHERE bucket >= ? AND bucket < ? AND {_OF_AGENTS} GROUP BY agent, model) AS s"
        " JOIN agent_names a ON a.key = s.agent JOIN models m ON m.key = s.model",
        ("cost", "tokens", "unpriced"),
        (span[0] // grain, span[1] // grain, keys, keys),
    )
    for agent, model, _, _, cost, tokens, unpriced in rows:
        yield agent, model, Measures(cost=int(cost), tokens=int(tokens), unpriced=int(unpriced))


def _spending(con: sqlite3.Connection, span: Range, keys: str | None) -> Iterator[Event]:
    """The events in a range whose usage the rollups hold too."""
    rows = con.execute(_SPENDING, (*span, keys, keys))
    ranks: dict[SessionKey, int | None] = {}

    def rank_of(session: SessionKey) -> int | None:
        if session not in ranks:
            ranks[session] = _rank(con, session)
        return ranks[session]

    for (body,) in rows:
        event = event_from(body)
        if counts(event, rank_of):
            yield event


def _rank(con: sqlite3.Connection, session: SessionKey) -> int | None:
    row = con.execute(
        "SELECT rank FROM session_ranks JOIN agent_names a ON a.key = agent WHERE a.name = ? AND session = ?", session
    ).fetchone()
    return None if row is None else int(row[0])


def series(
    con: sqlite3.Connection, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
) -> list[Point]:
    if by not in _GROUPS:
        raise Invalid("a series is grouped by agent, model or nothing")
    grain = grain_of(step)
    per_step = step // grain
    bucket = "bucket" if per_step == 1 else f"bucket / {per_step}"  # a bare column is in the table's own order
    buckets = (-(-since // step) * per_step, -(-until // step) * per_step)
    condition, arguments = rows_of(buckets, agents_matching(con, agents))
    rows = _summed(
        con,
        f"SELECT {bucket} AS step, {_GROUPS[by]} AS part, {{sums}} FROM {_TABLES[grain]}"  # noqa: S608
        f" WHERE {condition} GROUP BY step{', part' if by else ''}",
        MEASURES,
        arguments,
    )
    names = dict(con.execute(f"SELECT key, name FROM {_NAMES[by]}")) if by else {}  # noqa: S608 (a constant)
    points = [Point(at * step, names.get(part, ""), measures_from(sums)) for at, part, *sums in rows]
    return sorted(points, key=lambda point: (point.at, point.group))


def _summed(con: sqlite3.Connection, query: str, columns: tuple[str, ...], arguments: tuple[Any, ...]) -> list[Any]:
    """Sums are exact; where a sender's absurd numbers exceed 63 bits they are floats rather than an error."""
    try:
        return con.execute(query.format(sums=", ".join(f"sum({c})" for c in columns)), arguments).fetchall()
    except sqlite3.OperationalError as error:
        if "integer overflow" not in str(error):
            raise
        return con.execute(query.format(sums=", ".join(f"total({c})" for c in columns)), arguments).fetchall()
