"""Retention, a bounded number of rows at a time."""

from __future__ import annotations

from msgspec.structs import replace

from clawatch.domain.events import asked_for
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import RetentionPolicy
from clawatch_plugins.sqlite.codec import event_from
from clawatch_plugins.sqlite.journal import seq_before
from clawatch_plugins.sqlite.schema import GRAINS
from clawatch_plugins.sqlite.transaction import Transaction


def prune(tx: Transaction, policy: RetentionPolicy, now: Millis, budget: int) -> int:
    """Delete at most ``budget`` rows that are too old; how many went."""
    gone = _prune_journal(tx, now - policy.events, budget)
    for table, grain, age in (("minutes", MINUTE, policy.minutes), ("hours", HOUR, policy.hours)):
        gone += _prune_rollup(tx, table, "bucket, agent, model", grain, now - age, budget - gone)
        for beside, keys in (("latencies", "bucket, agent"), ("gauges", "bucket, agent, name")):
            gone += _prune_rollup(tx, f"{GRAINS[grain]}_{beside}", keys, grain, now - age, budget - gone)
    gone += _prune_sessions(tx, now - policy.events, budget - gone)
    for statement, cutoff in (
        ("alerts WHERE id IN (SELECT id FROM alerts WHERE state = 'resolved' AND resolved_at < ? LIMIT ?)",
         now - policy.alerts),
        ("commands WHERE id IN (SELECT id FROM commands WHERE open = 0 AND changed_at < ? LIMIT ?)",
         now - policy.alerts),
        ("runs WHERE (id, agent) IN (SELECT id, agent FROM runs WHERE updated_at < ? LIMIT ?)", now - policy.alerts),
        ("refs WHERE (notifier, thread) IN (SELECT notifier, thread FROM refs WHERE at < ? LIMIT ?)",
         now - policy.alerts),
        ("outbox WHERE place IN (SELECT place FROM outbox WHERE next_at < ? LIMIT ?)", now - policy.alerts),
        ("silences WHERE id IN (SELECT id FROM silences WHERE expires_at < ? LIMIT ?)", now - DAY),
        ("ended_logins WHERE id IN (SELECT id FROM ended_logins WHERE expires_at < ? LIMIT ?)", now),
        ("logins WHERE code_hash IN (SELECT code_hash FROM logins WHERE expires_at < ? LIMIT ?)", now),
    ):  # fmt: skip
        gone += _delete(tx, statement, cutoff, budget - gone)
    return gone


def _delete(tx: Transaction, what: str, cutoff: Millis, budget: int) -> int:
    return tx.con.execute(f"DELETE FROM {what}", (cutoff, budget)).rowcount if budget > 0 else 0  # noqa: S608


def _prune_journal(tx: Transaction, cutoff: Millis, budget: int) -> int:
    books, con = tx.books, tx.con
    upto = min(seq_before(con, cutoff, books.tail, books.head), books.tail + budget - 1)
    gone = upto - books.tail + 1
    if gone <= 0:
        return 0
    bounds = (books.tail, upto)
    rows = con.execute("SELECT seq, body FROM journal WHERE seq BETWEEN ? AND ? AND kind = 'event'", bounds)
    con.executemany(
        "DELETE FROM idents WHERE ident = ? AND seq = ?",
        [(name, seq) for seq, body in rows.fetchall() for name in asked_for(event_from(body))],
    )
    [newest] = con.execute("SELECT max(at) FROM journal WHERE seq BETWEEN ? AND ?", bounds).fetchone()
    con.execute("DELETE FROM completed WHERE seq BETWEEN ? AND ?", bounds)
    con.execute("DELETE FROM journal WHERE seq BETWEEN ? AND ?", bounds)
    con.execute("INSERT OR REPLACE INTO meta VALUES ('pruned_to', ?)", (upto,))
    tx.pruned_to = upto
    _keep_from(tx, "events", newest + 1)
    return gone


def _prune_rollup(tx: Transaction, table: str, keys: str, grain: Millis, cutoff: Millis, budget: int) -> int:
    what = f"{table} WHERE ({keys}) IN (SELECT {keys} FROM {table} WHERE bucket < ? ORDER BY bucket LIMIT ?)"  # noqa: S608
    first_kept = -(-cutoff // grain)
    gone = _delete(tx, what, first_kept, budget)
    if gone and hasattr(tx.books.kept, table):
        _keep_from(tx, table, first_kept * grain)
    return gone


def _prune_sessions(tx: Transaction, cutoff: Millis, budget: int) -> int:
    """Sessions and counters that nothing has been heard of for so long that no better signal will come."""
    cells = (
        "session_cells WHERE (session, minute, model) IN (SELECT c.session, minute, model FROM session_cells c"
        " JOIN session_ranks r ON r.key = c.session WHERE touched < ? LIMIT ?)"
    )
    ranks = "session_ranks WHERE key IN (SELECT key FROM session_ranks WHERE touched < ? LIMIT ?)"
    counters = "counters WHERE series IN (SELECT series FROM counters WHERE touched < ? LIMIT ?)"
    gone = 0
    for what in (cells, ranks, counters):
        gone += _delete(tx, what, cutoff, budget - gone)
    tx.forgets_sessions |= gone > 0
    return gone


def _keep_from(tx: Transaction, grain: str, instant: Millis) -> None:
    kept = tx.kept or tx.books.kept
    if instant > getattr(kept, grain):
        tx.kept = replace(kept, **{grain: instant})
        tx.con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"kept_{grain}", instant))
