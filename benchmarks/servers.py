"""Servers in processes of their own: the daemon, and the bare work it is compared with."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.load import Plan, Result
from benchmarks.machine import unpin

KEY = "cw_" + "b" * 43
READY_WITHIN = 60.0


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


@asynccontextmanager
async def daemon(home: Path, config: dict[str, Any] | None = None) -> AsyncIterator[Server]:
    """``clawatch run`` on the data directory ``home/data``."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "config.yaml"
    file.write_text(json.dumps({**_base(home), **(config or {})}))
    async with process("clawatch", "run", "--quiet", "--config", str(file), log=home / "log") as server:
        yield server


def _base(home: Path) -> dict[str, Any]:
    return {
        "server": {"port": 0},
        "data_dir": str(home / "data"),
        "auth": {"keys": [{"name": "bench", "key": KEY, "scopes": ["admin"]}]},
        "limits": {"rest": None, "ingest": None},
    }


@asynccontextmanager
async def reference(home: Path) -> AsyncIterator[Server]:
    """A handler that does nothing but read the body and answer 201."""
    home.mkdir(parents=True, exist_ok=True)
    async with process("benchmarks.reference", log=home / "log") as server:
        yield server


@asynccontextmanager
async def process(module: str, *arguments: str, log: Path) -> AsyncIterator[Server]:
    with log.open("ab") as stderr:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, stderr=stderr,
            preexec_fn=unpin, env={**os.environ, "JOURNAL_STREAM": ""},
        )
    try:
        yield Server(await _address(child, log), child.pid)
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                await child.wait()
        except TimeoutError:
            child.kill()
            raise


async def _address(child: asyncio.subprocess.Process, log: Path) -> str:
    assert child.stdout is not None
    async with asyncio.timeout(READY_WITHIN):
        while line := (await child.stdout.readline()).decode():
            if match := re.match(r"listening on (http://\S+)", line):
                return match.group(1)
    raise RuntimeError(f"it did not start: {log.read_text()[-2000:]}")


async def load(plan: Plan) -> Result:
    """Run the load in its own process. Raises when anything was refused."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate(msgspec.json.encode(plan))
    if child.returncode:
        raise RuntimeError(f"the load ended with {child.returncode}")
    result = msgspec.json.decode(said, type=Result)
    if result.failed:
        raise RuntimeError(f"{result.failed} of {result.requests} requests failed")
    return result
