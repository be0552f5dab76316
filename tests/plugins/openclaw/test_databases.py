"""Transcripts in a database and the ledger: read as they grow, without a byte written beside them."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.openclaw import database
from clawatch_plugins.openclaw.audit import read_ledger
from clawatch_plugins.openclaw.database import is_orphaned
from clawatch_plugins.openclaw.databases import Database, Place, Unreadable

from clawatch.domain.events import EventType
from clawatch.domain.time import HOUR

AT = 1_782_896_400_000
START = Place()


def database_of(disk: Any) -> Database:
    return Database(disk.root / "agents/main/agent/openclaw-agent.sqlite", "openclaw", "main", False)


def on_disk(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*")) if path.is_file()
    }


def read_elsewhere(root: Path) -> str:
    """What a process of its own reads, as the daemon is: connections of one process share what they have mapped."""
    code = (
        "import sys; from pathlib import Path; root = Path(sys.argv[1])\n"
        "from clawatch_plugins.openclaw.audit import read_ledger\n"
        "from clawatch_plugins.openclaw.databases import Database, Place\n"
        "database = Database(root / 'agents/main/agent/openclaw-agent.sqlite', 'openclaw', 'main', False)\n"
        "events = database.read(Place()).events, read_ledger(root / 'state/openclaw.sqlite', 'openclaw', 0, 0)[0]\n"
        "print(*map(len, events))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_rows_are_read_as_the_lines_that_they_hold(disk: Any) -> None:
    disk.insert("s-1", disk.header("s-1", AT), disk.user("e1", AT), disk.answer("e2", AT), at=AT)
    page = database_of(disk).read(START)
    assert [event.type for event in page.events] == [EventType.MESSAGE, EventType.COST]
    assert (page.next.newest, page.has_more) == (AT, False)


def test_only_what_is_new_is_told_again(disk: Any) -> None:
    database = database_of(disk)
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    place = database.read(START).next
    disk.insert("s-1", disk.answer("e2", AT + 5), at=AT + 5)
    again = database.read(place)
    assert [event.id for event in again.events] == ["s-1:e2"]


def test_a_writer_that_was_slower_is_not_missed(disk: Any) -> None:
    database = database_of(disk)
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    place = database.read(START).next
    disk.insert("s-2", disk.user("e1", AT - 500), at=AT - 500)
    assert [event.session_id for event in database.read(place).events] == ["s-2"]


def test_rows_that_took_the_place_of_the_newest_are_not_missed(disk: Any) -> None:
    database = database_of(disk)
    disk.insert("s-1", *(disk.user(f"e{number}", AT) for number in range(9)), at=AT)
    place = database.read(START).next
    disk.database().execute("DELETE FROM transcript_events")
    disk.insert("s-1", disk.user("e8", AT), disk.user("new", AT + 5), at=AT + 5)
    assert [event.id for event in database.read(place).events] == ["s-1:new"]
    assert [event.id for event in database_of(disk).read(place).events] == ["s-1:e8", "s-1:new"]


def test_what_was_made_before_the_floor_is_passed_by_once(disk: Any) -> None:
    disk.insert("s-1", disk.user("old", AT), at=AT)
    disk.insert("s-1", disk.user("new", AT + HOUR), at=AT + HOUR)
    page = database_of(disk).read(Place(floor=AT + 1))
    assert ([event.id for event in page.events], page.next.floor) == (["s-1:new"], 0)


@pytest.mark.parametrize(("reason", "counted"), [("fork", 1), ("compaction", 1), ("reset", 2)])
def test_a_session_that_begins_with_copies_counts_what_is_its_own(disk: Any, reason: str, counted: int) -> None:
    connection = disk.database()
    for column in ("previous_session_id TEXT", "reason TEXT", "created_at INTEGER"):
        connection.execute(f"ALTER TABLE session_windows ADD COLUMN {column}")
    connection.execute(
        "INSERT INTO session_windows VALUES ('s-2', 'agent:main:main', 0, '', 's-1', ?, ?)", (reason, AT + 100)
    )
    disk.insert("s-2", disk.answer("e1", AT), disk.answer("e2", AT + 200), at=AT + 200)
    assert len(database_of(disk).read(START).events) == counted


def test_many_rows_come_a_page_at_a_time(disk: Any) -> None:
    disk.insert("s-1", *(disk.user(f"e{number}", AT) for number in range(1_500)), at=AT)
    database = database_of(disk)
    first = database.read(START)
    second = database.read(first.next)
    assert (len(first.events), first.has_more, len(second.events), second.has_more) == (1_000, True, 500, False)


def test_a_session_is_known_by_its_key_and_model(disk: Any) -> None:
    disk.window("s-1", "agent:main:cron:7", "acme-2")
    disk.insert("s-1", disk.user("e1", AT), disk.answer("e2", AT, model=""), at=AT)
    prompt, answer = database_of(disk).read(START).events
    assert prompt.data["role"] == "automation"
    assert answer.usage is not None
    assert answer.usage.model == "acme-2"


@pytest.mark.parametrize("schema", ["DROP TABLE session_windows", "DROP TABLE session_nodes"])
def test_other_versions_know_other_tables(disk: Any, schema: str) -> None:
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    disk.database().execute(schema)
    assert len(database_of(disk).read(START).events) == 1


def test_a_database_of_another_form_says_so(disk: Any) -> None:
    disk.database().execute("DROP TABLE transcript_events")
    with pytest.raises(Unreadable, match="transcript_events"):
        database_of(disk).read(START)


def test_a_view_that_never_ends_is_not_looked_into(disk: Any) -> None:
    connection = disk.database()
    connection.execute("DROP TABLE transcript_events")
    connection.execute(
        "CREATE VIEW transcript_events AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)"
        " SELECT n AS rowid, 's' AS session_id, n AS seq, '{}' AS event_json, n AS created_at FROM t"
    )
    with pytest.raises(Unreadable, match="transcript_events"):
        database_of(disk).read(START)


def test_a_query_that_never_ends_is_given_up(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    disk.database()
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
    with (
        database.reading(disk.root / "agents/main/agent/openclaw-agent.sqlite") as connection,
        pytest.raises(sqlite3.OperationalError, match="interrupted"),
    ):
        connection.execute(endless).fetchone()


def test_a_row_that_is_no_entry_is_passed_by(disk: Any) -> None:
    connection = disk.database()
    for number, raw in enumerate(("no json", "[1]", "{}", "", None, b"\xff", "[" * 10_000)):
        connection.execute("INSERT INTO transcript_events VALUES ('s-1', ?, ?, ?)", (number, raw, AT))
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    assert [event.id for event in database_of(disk).read(START).events] == ["s-1:e1"]


@pytest.mark.parametrize("is_open", [True, False])
def test_reading_writes_nothing(disk: Any, is_open: bool) -> None:
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    disk.audit("agent.run.started", "started", "r1", AT)
    if not is_open:
        disk.close()
    before = on_disk(disk.root)
    assert (any(name.endswith("-wal") for name in before)) is is_open
    assert read_elsewhere(disk.root) == "1 1"
    assert on_disk(disk.root) == before


def test_a_database_that_was_left_in_the_middle_is_not_put_in_order(disk: Any, tmp_path: Path) -> None:
    disk.insert("s-1", disk.user("e1", AT), at=AT)
    path = disk.root / "agents/main/agent/openclaw-agent.sqlite"
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    copy.with_name("copy.sqlite-wal").write_bytes(path.with_name(f"{path.name}-wal").read_bytes())
    before = on_disk(tmp_path)
    assert is_orphaned(copy)
    with pytest.raises(Exception, match="unable to open"):
        Database(copy, "openclaw", "main", False).read(START)
    assert on_disk(tmp_path) == before


def test_the_ledger_tells_how_runs_ended(disk: Any) -> None:
    disk.audit("agent.run.started", "started", "r1", AT)
    disk.audit("agent.run.finished", "timed_out", "r1", AT + 9, error_code="run_timed_out")
    disk.audit("tool.action.started", "started", "r1", AT, kind="tool_action")
    events, last, has_more = read_ledger(disk.root / "state/openclaw.sqlite", "openclaw", 0, 0)
    reports = [event.run for event in events]
    assert [(one.status, one.error) for one in reports if one] == [("running", None), ("failed", "run_timed_out")]
    assert (last, has_more) == (2, False)
    assert read_ledger(disk.root / "state/openclaw.sqlite", "openclaw", last, 0)[0] == []


def test_a_ledger_that_began_anew_is_read_from_its_beginning(disk: Any) -> None:
    disk.audit("agent.run.started", "started", "r1", AT)
    assert len(read_ledger(disk.root / "state/openclaw.sqlite", "openclaw", 900, 0)[0]) == 1


def test_what_is_too_old_is_left_in_the_ledger(disk: Any) -> None:
    disk.audit("agent.run.started", "started", "r1", AT)
    assert read_ledger(disk.root / "state/openclaw.sqlite", "openclaw", 0, AT + HOUR)[0] == []
