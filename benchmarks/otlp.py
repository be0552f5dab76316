"""How many spans a second over OTLP/HTTP, beside decoding alone; and how long a large body holds up a hook."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from pathlib import Path

import aiohttp

from benchmarks import servers, spans
from benchmarks.load import Plan, Result
from benchmarks.machine import CLIENT_CORE, pin, resident
from benchmarks.servers import KEY, Server
from benchmarks.table import Row, percentile

SECONDS = 4.0
CONNECTIONS = 32
BATCH, BATCH_CONNECTIONS = 100, 4
SKIPPED, SKIPPED_CONNECTIONS = 512, 4
LARGEST = 4 * 1024 * 1024
HOOK = {"hook_event_name": "PreToolUse", "session_id": "bench", "tool_name": "Bash", "tool_use_id": "1"}


async def measure(home: Path, rounds: int) -> list[Row]:
    """Each round measures everything once; a first one, not counted, warms everything up."""
    found: dict[str, list[float]] = {}
    async with servers.daemon(home / "otlp") as daemon:
        for number in range(rounds + 1):
            figures = await _round(daemon, number)
            for name, figure in figures.items() if number else ():
                found.setdefault(name, []).append(figure)
    rows = (
        ("single", "requests of one span each, protobuf, durable", "/s", "4,000", ""),
        ("single p99", "the same, p99", "ms", "", ""),
        ("batch", f"spans in requests of {BATCH}, stored", "/s", "12,000", "25,000"),
        ("batch p99", "the same requests, p99", "ms", "", ""),
        ("ratio", "the same, of decoding them and nothing else", "×", "", ""),
        ("skipped", f"spans that tell nothing, in requests of {SKIPPED}", "/s", "100,000", ""),
        ("hook", "a hook's answer while bodies of 4 MB come in, p99", "ms", "50 ms", ""),
        ("memory", "resident memory afterwards", "MiB", "", ""),
    )
    return [Row(what, tuple(found[name]), unit, floor, goal) for name, what, unit, floor, goal in rows]


async def _round(daemon: Server, number: int) -> dict[str, float]:
    single = await _load(daemon, number, "agents", 1, CONNECTIONS)
    batch = await _load(daemon, number, "agents", BATCH, BATCH_CONNECTIONS)
    skipped = await _load(daemon, number, "internal", SKIPPED, SKIPPED_CONNECTIONS)
    stored = batch.per_second * BATCH
    return {
        "single": single.per_second,
        "single p99": percentile(single.latencies_ms, 99),
        "batch": stored,
        "batch p99": percentile(batch.latencies_ms, 99),
        "ratio": stored / await asyncio.to_thread(_decode),
        "skipped": skipped.per_second * SKIPPED,
        "hook": await _hooks(daemon),
        "memory": resident(daemon.pid) / 2**20,
    }


async def _load(daemon: Server, number: int, what: str, size: int, connections: int) -> Result:
    return await servers.load(Plan(
        url=daemon.url, run=str(number), key=KEY, connections=connections, seconds=SECONDS, batch=size, spans=what
    ))  # fmt: skip


def _decode() -> float:
    """Spans a second, attributes and all, on the core of the client, with nobody else on it."""
    from clawatch.apis.telemetry import Encoding, OtlpSignal, SpanRecord, decode

    bodies = list(islice(spans.agents_requests(BATCH), 50))
    began, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < 1.0:
        records = decode(bodies[done % len(bodies)], OtlpSignal.TRACES, Encoding.PROTOBUF)
        done += 1
        for record in records:
            assert isinstance(record, SpanRecord)
            len(record.attributes)
    return done * BATCH / passed


async def _hooks(daemon: Server) -> float:
    """Claude Code waits for a hook's answer, whoever else sends what."""
    pin(CLIENT_CORE)
    one = next(spans.internal_requests(SKIPPED))
    large = one * (LARGEST // len(one))
    headers = {"X-ClaWatch-Key": KEY}
    async with aiohttp.ClientSession(daemon.url, headers=headers) as session:
        sending = asyncio.create_task(_send(session, large))
        taken = []
        for _ in range(100):
            began = time.perf_counter()
            async with session.post("/hooks/claude-code", json=HOOK) as answer:
                await answer.read()
            taken.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.02)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return percentile(taken, 99)


async def _send(session: aiohttp.ClientSession, body: bytes) -> None:
    import io

    headers = {"Content-Type": "application/x-protobuf"}
    while True:
        async with session.post("/v1/traces", data=io.BytesIO(body), headers=headers) as answer:
            await answer.read()
