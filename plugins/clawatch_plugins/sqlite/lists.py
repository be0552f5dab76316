"""Alerts, commands and runs: one by one, the open ones, and page by page."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from clawatch.domain.access import matches
from clawatch.domain.alerts import Alert
from clawatch.domain.commands import Command
from clawatch.domain.pages import Place, parse_place
from clawatch.domain.runs import Run, RunStatus, RunTotal
from clawatch.ports import AlertFilter, Invalid, Page
from clawatch_plugins.sqlite.codec import alert_from, command_from, run_from
from clawatch_plugins.sqlite.schema import RUN_IS_OURS, RUN_KIND, RUN_STATUS

T = TypeVar("T")


def alerts(con: sqlite3.Connection, where: AlertFilter, cursor: str | None, limit: int) -> Page[Alert]:
    conditions, arguments = ["fired_at > 0"], []
    for condition, value in (("agent = ?", where.agent_id), ("state = ?", where.state and where.state.value)):
        if value is not None:
            conditions.append(condition)
            arguments.append(value)
    return _page(con, "alerts", "fired_at", conditions, arguments, where.agents, cursor, limit, alert_from)


def open_alerts(con: sqlite3.Connection) -> list[Alert]:
    return [alert_from(body) for (body,) in con.execute("SELECT body FROM alerts WHERE state <> 'resolved'")]


def commands(
    con: sqlite3.Connection, agent_id: str | None, agents: tuple[str, ...], cursor: str | None, limit: int
) -> Page[Command]:
    conditions, arguments = (["1"], []) if agent_id is None else (["agent = ?"], [agent_id])
    return _page(con, "commands", "requested_at", conditions, arguments, agents, cursor, limit, command_from)


def open_commands(con: sqlite3.Connection) -> list[Command]:
    return [command_from(body) for (body,) in con.execute("SELECT body FROM commands WHERE open = 1")]


def run(con: sqlite3.Connection, run_id: str, agents: tuple[str, ...]) -> Run | None:
    rows = con.execute(
        "SELECT agent, body FROM runs WHERE id = ?"
        " ORDER BY json_extract(body, '$.by') IS NULL, created_at DESC, place DESC", (run_id,),
    )  # fmt: skip
    return next((run_from(body) for agent, body in rows if matches(agents, agent)), None)


def runs(
    con: sqlite3.Connection, agent_id: str | None, agents: tuple[str, ...], kind: str | None,
    statuses: tuple[RunStatus, ...], cursor: str | None, limit: int,
) -> Page[Run]:
    conditions, arguments = (["1"], []) if agent_id is None else (["agent = ?"], [agent_id])
    if kind is not None:
        conditions.append(f"{RUN_KIND} = ?")
        arguments.append(kind)
    if statuses:
        conditions.append(f"{RUN_STATUS} IN ({', '.join('?' * len(statuses))})")
        arguments += [status.value for status in statuses]
    return _page(con, "runs", "created_at", conditions, arguments, agents, cursor, limit, run_from, name="place")


def open_runs(con: sqlite3.Connection) -> list[Run]:
    rows = con.execute(f"SELECT body FROM runs WHERE {RUN_IS_OURS} ORDER BY created_at, place")  # noqa: S608 (constants)
    return [run for (body,) in rows if (run := run_from(body)).is_open]


def run_totals(con: sqlite3.Connection) -> list[RunTotal]:
    rows = con.execute(
        f"SELECT agent, {RUN_KIND} AS kind, {RUN_STATUS} AS status, count(*),"  # noqa: S608 (constants)
        " sum(max(0, coalesce(json_extract(body, '$.ended_at'), 0) - coalesce(json_extract(body, '$.started_at'), 0)))"
        " FROM runs GROUP BY agent, kind, status"
    )
    return [RunTotal(agent, kind, RunStatus(status), count, int(sum_)) for agent, kind, status, count, sum_ in rows]


def _page(
    con: sqlite3.Connection,
    table: str,
    time: str,
    conditions: list[str],
    arguments: list[Any],
    agents: tuple[str, ...],
    cursor: str | None,
    limit: int,
    decode: Callable[[str], T],
    name: str = "id",
) -> Page[T]:
    """Newest first; rows are fetched one by one, until the page is full of what the patterns let through."""
    if cursor is not None:
        conditions = [*conditions, f"({time}, {name}) < (?, ?)"]
        arguments = [*arguments, *_parsed(cursor)]
    rows = con.execute(
        f"SELECT {time}, {name}, agent, body FROM {table} WHERE {' AND '.join(conditions)}"  # noqa: S608 (constants)
        f" ORDER BY {time} DESC, {name} DESC",
        arguments,
    )
    found: list[T] = []
    last: Place | None = None
    for at, ident, agent, body in rows:
        if not matches(agents, agent):
            continue
        if len(found) == limit:
            return Page(tuple(found), str(last))
        found.append(decode(body))
        last = Place(at, ident)
    return Page(tuple(found), None)


def _parsed(cursor: str) -> Place:
    try:
        return parse_place(cursor)
    except ValueError as error:
        raise Invalid(str(error)) from None
