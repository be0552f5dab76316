"""However a transcript is written, rewritten, moved and read, its sums are what it says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.openclaw.databases import Database, Place
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.identity import Where
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.domain.events import Event
from clawatch.testing.memory import MemoryStore

AT = 1_782_896_400_000
SESSIONS = ("s-1", "s-2")
STEPS = st.lists(st.one_of(
    st.tuples(st.just("write"), st.sampled_from(SESSIONS), st.integers(1, 4)),
    st.tuples(st.just("compact"), st.sampled_from(SESSIONS), st.integers(0, 3)),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("read"), st.none(), st.none()),
    st.tuples(st.just("from_file"), st.sampled_from(SESSIONS), st.none()),
), max_size=14)


class Both:
    """A database that OpenClaw writes, the reader of it, and the truth."""

    def __init__(self, path: Path, disk: Any) -> None:
        self.disk = disk
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute(
            "CREATE TABLE transcript_events (session_id, seq, event_json, created_at, PRIMARY KEY (session_id, seq))"
        )
        self.written: dict[str, list[dict[str, Any]]] = {session: [] for session in SESSIONS}
        self.all: dict[str, list[dict[str, Any]]] = {session: [] for session in SESSIONS}
        self.clock = AT
        self.place = Place()
        self.reader = self._reader()

    def _reader(self) -> Database:
        return Database(self.path, "openclaw", "main", False)

    def write(self, session: str, count: int) -> None:
        for _ in range(count):
            self.clock += 7
            entry = self.disk.answer(f"e{self.clock}", self.clock, cost=0.01, stop="toolUse", call=f"t{self.clock}")
            done = self.disk.result(f"r{self.clock}", self.clock + 1, f"t{self.clock}", exitCode=self.clock % 2)
            self.written[session] += [entry, done]
            self.all[session] += [entry, done]
        self._store(session)

    def compact(self, session: str, kept: int) -> None:
        """The session is written anew, with what was kept of it."""
        self.clock += 7
        self.written[session] = self.written[session][-2 * kept:] if kept else []
        self._store(session)

    def _store(self, session: str) -> None:
        self.connection.execute("DELETE FROM transcript_events WHERE session_id = ?", (session,))
        rows = [(session, seq, json.dumps(entry), self.clock) for seq, entry in enumerate(self.written[session])]
        self.connection.executemany("INSERT INTO transcript_events VALUES (?, ?, ?, ?)", rows)

    def restart(self) -> None:
        """Nothing is remembered but the mark."""
        self.reader = self._reader()

    def read(self) -> list[Event]:
        page = self.reader.read(self.place)
        self.place = page.next
        return page.events

    def from_file(self, session: str) -> list[Event]:
        """The same session, as a file of before the move holds it."""
        where = Where(gateway="openclaw", agent="main", session_id=session)
        transcripts = Transcripts()
        return [event for entry in self.all[session] for event in transcripts.map(where, entry, AT)]

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_the_sums_are_those_of_what_was_ever_written(folder: Path, disk: Any, steps: list[Any]) -> None:
    path = folder / f"{len(list(folder.iterdir()))}.sqlite"
    both, store = Both(path, disk), MemoryStore()
    try:
        for step, session, amount in steps:
            told = {"write": lambda s, n: both.write(s, n), "compact": both.compact}.get(step)
            if told is not None:
                told(session, amount)
                await store.append(both.read(), AT, "test")  # a poll: what is compacted away was read before
            elif step == "restart":
                both.restart()
            else:
                await store.append(both.read() if step == "read" else both.from_file(session), AT, "test")
        await store.append(both.read(), AT, "test")
    finally:
        both.close()
    entries = [entry["message"] for entries in both.all.values() for entry in entries]
    calls = [one for one in entries if one["role"] == "assistant"]
    failed = [one for one in entries if one["role"] == "toolResult" and one["details"]["exitCode"]]
    agents = await store.agents()
    if not calls:
        assert agents == []
        return
    (agent,) = agents
    assert (agent.cost, agent.tokens) == (10_000_000 * len(calls), 1_050 * len(calls))
    assert (agent.tool_calls, agent.error_count) == (len(calls), len(failed))
