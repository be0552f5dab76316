"""The outbox in the writer's hands: claim by compare-and-set, and settle."""

from __future__ import annotations

from msgspec.structs import replace

from clawatch.domain.deliveries import Outgoing
from clawatch.domain.time import Millis
from clawatch_plugins.sqlite.codec import outgoing_from
from clawatch_plugins.sqlite.transaction import Transaction

_DUE = """
    SELECT place, next_at, attempts, body FROM outbox AS o
    WHERE notifier = ? AND next_at <= ? AND (holder IS NULL OR holder = ? OR claimed_until <= ?)
      AND place = (SELECT min(place) FROM outbox WHERE notifier = o.notifier AND thread = o.thread)
    ORDER BY place LIMIT ?"""


def claim(tx: Transaction, notifier: str, now: Millis, limit: int, until: Millis, holder: str) -> list[Outgoing]:
    rows = tx.con.execute(_DUE, (notifier, now, holder, now, limit)).fetchall()
    tx.con.executemany(
        "UPDATE outbox SET holder = ?, claimed_until = ?, attempts = attempts + 1 WHERE place = ?",
        [(holder, until, row[0]) for row in rows],
    )
    return [
        replace(outgoing_from(body), next_at=next_at, attempts=attempts + 1) for _, next_at, attempts, body in rows
    ]  # fmt: skip


def settle(tx: Transaction, outgoing_id: str, now: Millis, next_at: Millis | None, ref: str | None) -> None:
    row = tx.con.execute("SELECT place, notifier, thread, holder FROM outbox WHERE id = ?", (outgoing_id,)).fetchone()
    if row is None:
        return
    place, notifier, thread, holder = row
    if ref is not None:
        tx.con.execute("INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?)", (notifier, thread, ref, now))
    if holder is None:
        return  # replaced by a newer row while it was delivered: that one is still to come
    if next_at is None:
        tx.con.execute("DELETE FROM outbox WHERE place = ?", (place,))
    else:
        tx.con.execute("UPDATE outbox SET holder = NULL, next_at = ? WHERE place = ?", (next_at, place))
