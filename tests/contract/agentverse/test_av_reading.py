"""Reading changes nothing: the database is the same before and after, whatever is asked (C3, AV-01)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ALIVE = "secrets"
"""Where the daemon notes every few seconds that it is alive."""


@pytest.fixture
async def cw(run_cw: Any) -> AsyncIterator[Any]:
    async with run_cw(storage={"use": "sqlite"}) as client:
        yield client


def contents(path: Path) -> str:
    """Of every table but the daemon's own note."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as con:
        tables = [name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        digest = hashlib.sha256()
        for name in sorted(set(tables) - {ALIVE}):
            for row in con.execute(f"SELECT * FROM {name}"):
                digest.update(repr((name, row)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_av_01_no_request_changes_the_database(av: Any, make: Any, tmp_path: Path, method: str) -> None:
    file = tmp_path / "data" / "clawatch.db"
    paths = [
        "", "/slice", "/slice?resolution=7&segments=skeptics", "/keyframe/0", "/keyframe/15", "/keyframe/999",
        f"/agent/{make.hero}?include_reasoning=1", "/agent/nobody", "/events?limit=3", "/stream", "/aggregates",
    ]
    for path in paths:
        before = contents(file)
        answer = await av.ask(path, method)
        assert answer.status in (200, 400, 404, 405)
        assert contents(file) == before, path
    before = contents(file)
    await av.ask(node="00000000-0000-4000-8000-000000000000", method=method)
    assert contents(file) == before


async def test_the_hash_sees_what_is_written(av: Any, make: Any, tmp_path: Path) -> None:
    file = tmp_path / "data" / "clawatch.db"
    before = contents(file)
    await av.record([make.header(run_id="another"), make.tick(0), {"kind": "end"}])
    assert contents(file) != before
