"""A lean HTTP client for load: keep-alive connections, one request under way on each, no more work than needed.

Run as a process of its own (``python -m benchmarks.load``): it reads a ``Plan`` as JSON from standard input and
writes a ``Result`` to standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import cast
from urllib.parse import urlsplit

import msgspec

from benchmarks import bodies
from benchmarks.machine import CLIENT_CORE, pin


class Plan(msgspec.Struct, kw_only=True):
    url: str
    run: str
    key: str = ""
    connections: int = 32
    seconds: float = 3.0
    batch: int = 1
    rate: float = 0.0
    """Requests a second, spread evenly; 0: as many as it answers."""
    agents: int = bodies.AGENTS
    is_keyed: bool = True
    spans: str = ""
    """OpenTelemetry spans rather than events: ``agents`` (see ``spans``) or ``internal``."""


class Result(msgspec.Struct, kw_only=True):
    requests: int
    failed: int
    seconds: float
    latencies_ms: list[float]
    """At a given rate, from when a request was due; else from when it was sent. A sample, at most 5,000."""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Connection(asyncio.Protocol):
    """Sends what it is given and calls back with the status once the answer is there."""

    def __init__(self, answered: Callable[[Connection, int], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self.sent_at = 0.0
        self.is_busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def send(self, request: bytes, due: float) -> None:
        self.sent_at = due
        self.is_busy = True
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = data if not self._buffer else self._buffer + data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        start = head.lower().find(b"content-length:")
        length = 0 if start < 0 else int(head[start + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = b""
        self.is_busy = False
        self._answered(self, int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_busy:
            self._answered(self, 0)


class Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = _requests(plan)
        self._free: deque[Connection] = deque()
        """Used in turn, so that none is idle for long: the daemon closes those that say nothing."""
        self._waiting: deque[float] = deque()
        self._deadline = 0.0
        self._latencies: list[float] = []
        self._done = self._failed = 0
        self._under_way = 0
        self._finished = asyncio.Event()

    async def run(self) -> Result:
        address = urlsplit(self._plan.url)
        host, port = address.hostname or "", address.port or 80
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, made = await loop.create_connection(lambda: Connection(self._answered), host, port)
            self._free.append(made)
        began = time.perf_counter()
        self._deadline = began + self._plan.seconds
        if self._plan.rate:
            await self._pace(began)
        else:
            for connection in self._free:
                self._send(connection, time.perf_counter())
        await self._finished.wait()
        ended = time.perf_counter()
        sample = self._latencies[:: max(1, len(self._latencies) // 5_000)]
        return Result(requests=self._done, failed=self._failed, seconds=ended - began, latencies_ms=sample)

    async def _pace(self, began: float) -> None:
        number = 0
        while (now := time.perf_counter()) < self._deadline:
            while (due := began + number / self._plan.rate) <= now:
                number += 1
                if self._free:
                    self._send(self._free.popleft(), due)
                else:
                    self._waiting.append(due)
            await asyncio.sleep(0.0005)
        self._waiting.clear()
        if not self._under_way:
            self._finished.set()

    def _send(self, connection: Connection, due: float) -> None:
        self._under_way += 1
        connection.send(next(self._requests), due)

    def _answered(self, connection: Connection, status: int) -> None:
        if self._finished.is_set():
            return
        now = time.perf_counter()
        self._under_way -= 1
        if 200 <= status < 300:
            self._done += 1
            self._latencies.append((now - connection.sent_at) * 1000)
        else:
            self._failed += 1
        if status == 0 or now >= self._deadline:
            if not self._under_way:
                self._finished.set()
        elif not self._plan.rate:
            self._send(connection, now)
        elif self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)


def _requests(plan: Plan) -> Iterator[bytes]:
    """Whole requests, the first few thousand of which are made beforehand: they cost the client nothing then."""
    made = _made(plan)
    ready = [next(made) for _ in range(0 if plan.rate else round(40_000 * plan.seconds / plan.batch))]
    return chain(ready, made)


def _made(plan: Plan) -> Iterator[bytes]:
    address = urlsplit(plan.url)
    path, media = ("/v1/traces", "application/x-protobuf") if plan.spans else ("/api/events", "application/json")
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {media}\r\n"
    if plan.key:
        head += f"X-ClaWatch-Key: {plan.key}\r\n"
    for body in _bodies(plan):
        yield f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _bodies(plan: Plan) -> Iterator[bytes]:
    if plan.spans:
        from benchmarks import spans

        return spans.agents_requests(plan.batch) if plan.spans == "agents" else spans.internal_requests(plan.batch)
    if plan.batch == 1:
        return bodies.singles(plan.run, plan.agents, plan.is_keyed)
    return bodies.batches(plan.run, plan.batch, plan.agents, plan.is_keyed)


def main() -> None:
    import uvloop

    pin(CLIENT_CORE)
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(Load(plan).run())))


if __name__ == "__main__":
    main()
