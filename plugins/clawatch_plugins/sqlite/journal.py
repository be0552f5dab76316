"""Reading the journal and the fleet."""

from __future__ import annotations

import json
import sqlite3
from time import monotonic

from clawatch.domain.access import matches
from clawatch.domain.journal import Entry
from clawatch.domain.pages import parse_number
from clawatch.domain.time import Millis
from clawatch.ports import EventFilter, Invalid, Page
from clawatch_plugins.sqlite.codec import entry_from

_FIRST_WINDOW = 2_000
_LONGEST_SEARCH = 2.0
"""Seconds; a page for which more of the journal would have to be searched comes back short, with a cursor."""


def read(con: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
    rows = con.execute(
        "SELECT seq, at, body, counted FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    )  # fmt: skip
    return [entry_from(row) for row in rows]


def seq_before(con: sqlite3.Connection, instant: Millis, tail: int, head: int) -> int:
    """By bisection: rows lie in the order of their time, as far as the clock went forward."""
    low, high = tail - 1, head
    while low < high:
        middle = (low + high + 1) // 2
        row = con.execute("SELECT at FROM journal WHERE seq = ?", (middle,)).fetchone()
        if row is None or row[0] < instant:  # no row: pruned meanwhile, so it is older
            low = middle
        else:
            high = middle - 1
    return low


def agents_matching(con: sqlite3.Connection, patterns: tuple[str, ...]) -> str | None:
    """The keys of all agents there ever were that match, as a JSON array; None for all."""
    if "*" in patterns:
        return None
    rows = con.execute("SELECT key, name FROM agent_names")
    return json.dumps([key for key, name in rows if matches(patterns, name)])


def events(
    con: sqlite3.Connection, where: EventFilter, cursor: str | None, limit: int, tail: int, head: int
) -> Page[Entry]:
    """The journal is searched backwards in growing windows, so that a rare type costs no more than it must."""
    before = head + 1 if cursor is None else _parsed(cursor)
    condition, arguments = _condition(con, where)
    lowest = tail if where.since is None else seq_before(con, where.since, tail, head) + 1
    lowest = max(lowest, where.from_seq)
    found: list[Entry] = []
    window = _FIRST_WINDOW
    give_up = monotonic() + _LONGEST_SEARCH
    while before > lowest and len(found) <= limit:
        start = max(lowest, before - window)
        rows = con.execute(
            "SELECT j.seq, j.at, coalesce(c.body, j.body), j.counted FROM journal j"  # noqa: S608 (constants)
            f" LEFT JOIN completed c ON c.seq = j.seq WHERE j.seq >= ? AND j.seq < ? AND {condition}"
            " ORDER BY j.seq DESC LIMIT ?",
            (start, before, *arguments, limit + 1 - len(found)),
        )
        found += [entry_from(row) for row in rows]
        before, window = start, window * 2
        if monotonic() > give_up and before > lowest:
            return Page(tuple(found[:limit]), str(found[limit - 1].seq if len(found) > limit else before))
    return Page(tuple(found[:limit]), str(found[limit - 1].seq) if len(found) > limit else None)


def _condition(con: sqlite3.Connection, where: EventFilter) -> tuple[str, list[object]]:
    conditions = ["j.kind = 'event' AND j.hidden = 0"]
    arguments: list[object] = []

    def also(condition: str, *values: object) -> None:
        conditions.append(condition)
        arguments.extend(values)

    keys = agents_matching(con, where.agents)
    if keys is not None:
        also("j.agent IN (SELECT value FROM json_each(?))", keys)
    if where.agent_id is not None:
        also("j.agent = (SELECT key FROM agent_names WHERE name = ?)", where.agent_id)
    if where.types:
        also(f"j.type IN ({', '.join('?' * len(where.types))})", *(one.value for one in where.types))
    if where.since is not None:
        also("j.happened >= ?", where.since)
    if where.until is not None:
        also("j.happened <= ?", where.until)
    return " AND ".join(conditions), arguments


def _parsed(cursor: str) -> int:
    try:
        return parse_number(cursor)
    except ValueError as error:
        raise Invalid(str(error)) from None
