"""Recordings: a simulation of 10,000 agents over 100 ticks is imported, and asked for in every way there is."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from random import Random

from aiohttp import ClientSession

from benchmarks import servers, simulation
from benchmarks.load import Connection, Plan
from benchmarks.machine import CLIENT_CORE, pin, resident
from benchmarks.servers import KEY, Server
from benchmarks.table import Row, percentile

AGENTS = int(os.environ.get("CLAWATCH_BENCH_AGENTS", "10000"))
TICKS = 100
ASKED = 200
"""Requests of each kind."""
MIXED_RATE, INGEST_RATE = 500, 500
MIXED_SECONDS = float(os.environ.get("CLAWATCH_BENCH_SECONDS", "20"))
BASE = f"/api/v1/telemetry/{simulation.NODE}"


async def measure(home: Path, rounds: int) -> list[Row]:
    pin(CLIENT_CORE)
    file = home / f"simulation-{AGENTS}.ndjson"
    await asyncio.to_thread(simulation.write, file, AGENTS, TICKS)
    found: dict[tuple[str, str, str], list[float]] = {}
    for number in range(rounds):
        async with servers.daemon(home / f"daemon-{AGENTS}-{number}-{os.getpid()}") as daemon:
            figures = await _round(daemon, home / f"daemon-{AGENTS}-{number}-{os.getpid()}", file, f"r{number}")
        for name, figure in figures.items():
            found.setdefault(name, []).append(figure)
    size = f"{AGENTS:,} agents × {TICKS} ticks"
    return [Row(f"{what}, {size}", tuple(figures), unit, goal) for (what, unit, goal), figures in found.items()]


async def _round(daemon: Server, home: Path, file: Path, run: str) -> dict[tuple[str, str, str], float]:
    figures = {("import, by `clawatch import`", "s", "30 s"): await _import(daemon, file)}
    before = resident(daemon.pid)
    agents = simulation.agent_ids(AGENTS)
    asked = {
        ("index, p99", "20 ms"): [""],
        ("keyframe, p99", "20 ms"): [f"/keyframe/{tick}" for tick in range(0, TICKS + 1, 10)],
        ("aggregates, p99", "20 ms"): ["/aggregates"],
        ("slice of one metric, p99", "50 ms"): [
            f"/slice?metrics={metric}&start_tick={start}" for start in range(20) for metric in simulation.METRICS
        ],
        ("slice of everything by segment and region, p99", ""): [
            f"/slice?start_tick={start}&segments={','.join(simulation.SEGMENTS)}&regions={','.join(simulation.REGIONS)}"
            for start in range(20)
        ],
        ("an agent's trajectory, p99", "50 ms"): [f"/agent/{one}?include_reasoning=true" for one in agents[:ASKED]],
        ("events, p99", ""): [f"/events?skip={skip}" for skip in range(20)],
    }
    for (what, goal), paths in asked.items():
        taken = await asyncio.to_thread(_time_gets, daemon.url, paths)
        figures[what, "ms", goal] = percentile(taken, 99)
    figures["first chunk of the stream, p99", "ms", "50 ms"] = percentile(
        await asyncio.to_thread(_time_first_chunks, daemon.url), 99
    )
    figures["replay of every tick over /ws, as fast as it goes", "s", ""] = await _replay(daemon, agents[:3])
    figures["memory that all those reads cost", "MiB", ""] = (resident(daemon.pid) - before) / 2**20
    figures[f"mixed reads, {MIXED_RATE}/s, with {INGEST_RATE} events/s, p95", "ms", "500 ms"] = await _mixed(
        daemon, agents, run
    )
    stored, packed = await asyncio.to_thread(_sizes, home / "data" / "clawatch.db", file)
    steps = AGENTS * (TICKS + 1)
    figures["stored, per agent and tick", "B", ""] = stored / steps
    figures["as JSON and gzip, per agent and tick", "B", ""] = packed / steps
    figures["so much smaller than JSON and gzip", "×", "3"] = packed / stored
    return figures


async def _import(daemon: Server, file: Path) -> float:
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", "import", str(file), stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": KEY},
    )
    if await child.wait():
        raise RuntimeError("the import failed")
    return time.perf_counter() - began


def _time_gets(url: str, paths: Sequence[str]) -> list[float]:
    """Milliseconds from asking to the last byte, one after the other on one connection."""
    connection = HTTPConnection(url.removeprefix("http://"))
    taken = []
    for _, path in zip(range(ASKED), cycle(paths), strict=False):
        began = time.perf_counter()
        connection.request("GET", BASE + path, headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
    connection.close()
    return taken


def _time_first_chunks(url: str) -> list[float]:
    taken = []
    for _ in range(50):
        connection = HTTPConnection(url.removeprefix("http://"))
        began = time.perf_counter()
        connection.request("GET", f"{BASE}/stream", headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        while answer.readline() not in (b"\n", b""):
            pass
        taken.append((time.perf_counter() - began) * 1000)
        connection.close()
    return taken


async def _replay(daemon: Server, agents: Sequence[str]) -> float:
    """With the steps of a few agents."""
    began = time.perf_counter()
    headers, ticks = {"X-ClaWatch-Key": KEY}, 0
    async with ClientSession(headers=headers) as session, session.ws_connect(f"{daemon.url}/ws") as ws:
        replay = {"node": simulation.NODE, "speed": 1_000_000}
        await ws.send_json({"type": "subscribe", "agents": agents, "replay": replay})
        while (frame := await ws.receive_json())["type"] != "replay_ended":
            ticks += frame["type"] == "replay_tick"
    if ticks != TICKS + 1:
        raise RuntimeError(f"the replay told {ticks} ticks")
    return time.perf_counter() - began


async def _mixed(daemon: Server, agents: Sequence[str], run: str) -> float:
    plan = Plan(url=daemon.url, run=run, key=KEY, seconds=MIXED_SECONDS, rate=INGEST_RATE, connections=8)
    ingest = asyncio.create_task(servers.load(plan))
    await asyncio.sleep(0.5)
    taken = await Readers(daemon.url, _requests(agents)).run(MIXED_SECONDS - 1)
    await ingest
    return percentile(taken, 95)


def _requests(agents: Sequence[str]) -> Iterator[bytes]:
    """Of all kinds as often as each other; most are asked for the first time."""
    rng = Random(3)
    while True:
        part = f"start_tick={rng.randrange(50)}&resolution={rng.randrange(1, 9)}"
        for path in (
            "", f"/keyframe/{rng.randrange(0, TICKS, 10)}", f"/agent/{rng.choice(agents)}",
            f"/slice?metrics={rng.choice(simulation.METRICS)}&{part}",
            f"/events?skip={rng.randrange(40)}&limit={rng.randrange(1, 50)}", "/aggregates",
        ):  # fmt: skip
            yield f"GET {BASE}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()


class Readers:
    """Asks at a given rate, whether answers come or not; times from when a request was due."""

    def __init__(self, url: str, requests: Iterator[bytes], connections: int = 32) -> None:
        self._address = url.removeprefix("http://").split(":")
        self._requests = requests
        self._number = connections
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._taken: list[float] = []
        self._failed = 0

    async def run(self, seconds: float) -> list[float]:
        host, port = self._address
        for _ in range(self._number):
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._answered), host, int(port)
            )
            self._free.append(made)
        began, number = time.perf_counter(), 0
        while (now := time.perf_counter()) < began + seconds:
            while (due := began + number / MIXED_RATE) <= now:
                number += 1
                if self._free:
                    self._free.popleft().send(next(self._requests), due)
                else:
                    self._waiting.append(due)
            await asyncio.sleep(0.0005)
        while len(self._free) < self._number:
            await asyncio.sleep(0.01)
        if self._failed:
            raise RuntimeError(f"{self._failed} of {number} reads failed")
        return self._taken

    def _answered(self, connection: Connection, status: int) -> None:
        self._taken.append((time.perf_counter() - connection.sent_at) * 1000)
        self._failed += status != 200
        if self._waiting:
            connection.send(next(self._requests), self._waiting.popleft())
        else:
            self._free.append(connection)


def _sizes(database: Path, file: Path) -> tuple[int, int]:
    """Bytes that recordings take in the database, with all their indexes; and of the file as gzip makes it."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as con:
        [stored] = con.execute("SELECT sum(length(body)) FROM recording_blocks").fetchone()
        [agents] = con.execute("SELECT sum(length(ident) + 8) FROM recording_agents").fetchone()
    packer, packed = zlib.compressobj(6, wbits=31), 0
    with file.open("rb") as opened:
        while piece := opened.read(2**20):
            packed += len(packer.compress(piece))
    return stored + agents, packed + len(packer.flush())
