"""Keys, secrets, marks, logins and silences in the writer's hands."""

from __future__ import annotations

from collections.abc import Mapping

from clawatch.domain.access import Key
from clawatch.domain.alerts import Silence
from clawatch.domain.time import Millis
from clawatch.ports import Conflict
from clawatch_plugins.sqlite.codec import text_of
from clawatch_plugins.sqlite.transaction import Transaction


def put_key(tx: Transaction, key: Key) -> None:
    if tx.con.execute("SELECT 1 FROM keys WHERE name = ?", (key.name,)).fetchone():
        raise Conflict(f"there is a key named {key.name!r} already")
    tx.con.execute("INSERT INTO keys VALUES (?, ?)", (key.name, text_of(key)))


def delete_key(tx: Transaction, name: str) -> bool:
    return tx.con.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount > 0


def put_secret(tx: Transaction, name: str, value: str) -> None:
    tx.con.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (name, value))


def put_marks(tx: Transaction, source: str, changes: Mapping[str, str | None]) -> None:
    kept = [(source, name, value) for name, value in changes.items() if value is not None]
    gone = [(source, name) for name, value in changes.items() if value is None]
    tx.con.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", kept)
    tx.con.executemany("DELETE FROM marks WHERE source = ? AND name = ?", gone)


def put_login(tx: Transaction, code_hash: str, expires_at: Millis) -> None:
    tx.con.execute("INSERT OR REPLACE INTO logins VALUES (?, ?)", (code_hash, expires_at))


def take_login(tx: Transaction, code_hash: str, now: Millis) -> bool:
    row = tx.con.execute("SELECT expires_at FROM logins WHERE code_hash = ?", (code_hash,)).fetchone()
    tx.con.execute("DELETE FROM logins WHERE code_hash = ? OR expires_at <= ?", (code_hash, now))
    return row is not None and row[0] > now


def end_login(tx: Transaction, login_id: str, expires_at: Millis) -> None:
    tx.con.execute("INSERT OR REPLACE INTO ended_logins VALUES (?, ?)", (login_id, expires_at))


def put_silence(tx: Transaction, silence: Silence) -> None:
    row = (silence.id, silence.expires_at, text_of(silence))
    tx.con.execute("INSERT OR REPLACE INTO silences VALUES (?, ?, ?)", row)


def delete_silence(tx: Transaction, silence_id: str) -> bool:
    return tx.con.execute("DELETE FROM silences WHERE id = ?", (silence_id,)).rowcount > 0
