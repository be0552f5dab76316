"""An OpenClaw on the disk, and the gateway beside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clawatch.domain.time import iso
from clawatch.testing.openclaw import StandInGateway

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA user_version = 17;
CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, event_json TEXT, created_at INTEGER,
  PRIMARY KEY (session_id, seq));
CREATE TABLE session_windows (session_id TEXT PRIMARY KEY, session_key TEXT, started_at INTEGER, model TEXT);
CREATE TABLE session_nodes (session_key TEXT PRIMARY KEY, current_session_id TEXT, status TEXT);
"""
LEDGER = """
PRAGMA journal_mode = WAL;
CREATE TABLE audit_events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, occurred_at INTEGER, kind TEXT,
  action TEXT, status TEXT, error_code TEXT, agent_id TEXT, session_key TEXT, session_id TEXT, run_id TEXT,
  tool_call_id TEXT, tool_name TEXT);
"""
USAGE = {"input": 600, "output": 50, "cacheRead": 400, "cacheWrite": 0, "totalTokens": 1050}


def usage(total: float) -> dict[str, Any]:
    return {**USAGE, "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": total}}


@dataclass
class Disk:
    """A state directory that a test writes to as OpenClaw does."""

    root: Path
    connections: dict[str, sqlite3.Connection] = field(default_factory=dict)

    # -- entries

    def header(self, session: str, at: int, **told: Any) -> dict[str, Any]:
        return {"type": "session", "version": 3, "id": session, "timestamp": iso(at), **told}

    def user(self, entry: str, at: int, text: str = "do it") -> dict[str, Any]:
        message = {"role": "user", "content": [{"type": "text", "text": text}], "timestamp": at}
        return {"type": "message", "id": entry, "parentId": None, "timestamp": iso(at), "message": message}

    def answer(
        self, entry: str, at: int, cost: float = 0.01, stop: str = "stop", call: str = "", args: Any = None, **told: Any
    ) -> dict[str, Any]:
        content: list[Any] = [{"type": "text", "text": "yes"}]
        if call:
            content.append({"type": "toolCall", "id": call, "name": "exec", "arguments": args or {"command": "make"}})
        message = {
            "role": "assistant", "content": content, "api": "openai", "provider": "acme", "model": "acme-1",
            "usage": usage(cost), "stopReason": stop, "timestamp": at, **told,
        }
        return {"type": "message", "id": entry, "parentId": None, "timestamp": iso(at), "message": message}

    def result(self, entry: str, at: int, call: str, is_error: bool = False, **details: Any) -> dict[str, Any]:
        message = {
            "role": "toolResult", "toolCallId": call, "toolName": "exec", "isError": is_error, "details": details,
            "content": [{"type": "text", "text": "done"}], "timestamp": at,
        }
        return {"type": "message", "id": entry, "parentId": None, "timestamp": iso(at), "message": message}

    # -- files

    def file(self, session: str, agent: str = "main") -> Path:
        folder = self.root / "agents" / agent / "sessions"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{session}.jsonl"

    def append(self, session: str, *entries: dict[str, Any], agent: str = "main") -> None:
        with self.file(session, agent).open("a") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)

    def index(self, keys: dict[str, str], agent: str = "main") -> None:
        """Session keys by session."""
        told = {key: {"sessionId": session, "status": "running"} for session, key in keys.items()}
        (self.file("x", agent).parent / "sessions.json").write_text(json.dumps(told))

    # -- databases

    def database(self, agent: str = "main") -> sqlite3.Connection:
        """OpenClaw's own connection, which stays open."""
        return self._open(self.root / "agents" / agent / "agent" / "openclaw-agent.sqlite", SCHEMA)

    def insert(self, session: str, *entries: dict[str, Any], at: int, agent: str = "main") -> None:
        connection = self.database(agent)
        (seq,) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM transcript_events WHERE session_id = ?", (session,)
        ).fetchone()
        for number, entry in enumerate(entries, seq + 1):
            row = (session, number, json.dumps(entry), at)
            connection.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?)", row)

    def window(self, session: str, key: str, model: str = "", agent: str = "main") -> None:
        self.database(agent).execute("INSERT INTO session_windows VALUES (?, ?, 0, ?)", (session, key, model))

    def audit(self, action: str, status: str, run: str, at: int, session: str = "s-1", **told: Any) -> None:
        connection = self._open(self.root / "state" / "openclaw.sqlite", LEDGER)
        row = {
            "occurred_at": at, "kind": "agent_run", "action": action, "status": status, "agent_id": "main",
            "session_key": "agent:main:main", "session_id": session, "run_id": run, **told,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO audit_events ({names}) VALUES ({marks})", tuple(row.values()))

    def _open(self, path: Path, schema: str) -> sqlite3.Connection:
        connection = self.connections.get(str(path))
        if connection is None:
            is_new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = self.connections[str(path)] = sqlite3.connect(path, isolation_level=None)
            if is_new:
                connection.executescript(schema)
        return connection

    def close(self) -> None:
        """OpenClaw ends."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "openclaw"
    (root / "agents").mkdir(parents=True)
    disk = Disk(root)
    yield disk
    disk.close()


@pytest.fixture
async def gateway() -> AsyncIterator[StandInGateway]:
    async with StandInGateway().running() as gateway:
        yield gateway
