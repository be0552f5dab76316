"""A backup made while events come in, restored, and compared with what had been acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession


async def clawatch(launcher: Any, *words: str) -> tuple[int, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "CLAWATCH_CONFIG": str(launcher.home / "config.yaml")},
    )
    out, _ = await child.communicate()
    return child.returncode or 0, out.decode()


class Load:
    """Posts events one after another until it is told to stop; ``acknowledged`` are their ids."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self._stop = asyncio.Event()
        self.acknowledged: list[str] = []

    async def run(self) -> None:
        async with ClientSession(headers={"X-ClaWatch-Key": self._daemon.key}) as session:
            while not self._stop.is_set():
                name = f"e{len(self.acknowledged)}"
                event = {"agentId": "a", "type": "cost", "id": name, "data": {"costUsd": 0.01}}
                async with session.post(f"{self._daemon.url}/api/events", json=event) as answer:
                    assert answer.status == 201
                self.acknowledged.append(name)

    def stop(self) -> None:
        self._stop.set()


async def all_events(daemon: Any) -> set[str]:
    found: set[str] = set()
    page = await daemon.get("/api/events?limit=1000")
    while True:
        found |= {event["id"] for event in page["events"]}
        if not page.get("cursor"):
            return found
        page = await daemon.get(f"/api/events?limit=1000&cursor={page['cursor']}")


async def test_a_backup_under_load_is_whole_and_runs(launcher: Any, daemon: Any, until: Any, tmp_path: Path) -> None:
    load = Load(daemon)
    loading = asyncio.create_task(load.run())

    async def is_under_way() -> bool:
        return len(load.acknowledged) >= 50

    await until(is_under_way)
    before = set(load.acknowledged)
    (tmp_path / "backups").mkdir()
    code, said = await clawatch(launcher, "backup", str(tmp_path / "backups"))
    after = len(load.acknowledged)
    assert code == 0, said
    copy = Path(said.strip())
    assert copy.parent == tmp_path / "backups"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600, "it holds keys"
    assert after > len(before), "the daemon went on meanwhile"
    load.stop()
    await loading
    assert await daemon.stop() == 0

    with contextlib.closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as con:
        assert con.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    shutil.rmtree(launcher.home / "data")
    (launcher.home / "data").mkdir(mode=0o700)
    shutil.copy(copy, launcher.home / "data" / "clawatch.db")
    restored = await launcher.start()
    found = await all_events(restored)
    assert before <= found <= set(load.acknowledged)
    [agent] = (await restored.get("/api/agents"))["agents"]
    assert round(agent["costUsd"] / 0.01) == len(found), "totals fit the events"
    assert await restored.stop() == 0


async def test_nothing_is_overwritten_and_nothing_made_of_nothing(launcher: Any, daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    code, said = await clawatch(launcher, "backup", str(tmp_path / "there"))
    assert code == 1
    assert "exists; name a new file" in said
    assert (tmp_path / "there").read_text() == "precious"
    code, said = await clawatch(launcher, "backup", str(tmp_path / "new"), "--data-dir", str(tmp_path / "elsewhere"))
    assert code == 1
    assert "nothing" in said
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "new").exists()
