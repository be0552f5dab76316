"""A whole daemon to throw things at, and what throws them: many requests on few connections, one behind the other."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from clawatch.apis.routes import Api, Route
from clawatch.testing.app import App, run_app
from clawatch.web.gate import Gate

SEED = int(os.environ.get("CLAWATCH_FUZZ_SEED") or 0)
"""0: continuous integration always throws the same, a nightly run something else each time; it names its seed."""
JSON = (("Content-Type", "application/json"),)
CONNECTIONS = 4
AT_ONCE = 16
"""Requests on their way on one connection."""
PATIENCE = 30.0


@dataclass(frozen=True)
class Shot:
    """A request as bytes go out."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def written(self, key: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1", f"X-ClaWatch-Key: {key}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@dataclass
class Hit:
    """What came back. Status 0: the connection was closed without an answer."""

    shot: Shot
    status: int
    body: bytes = b""


@dataclass
class Gun:
    """Throws requests at a daemon."""

    app: App
    key: str
    connections: int = CONNECTIONS

    async def fire(self, shots: Sequence[Shot]) -> list[Hit]:
        """All of them, over a few connections at once; the answers in the order of the shots."""
        shares = [shots[n :: self.connections] for n in range(self.connections)]
        async with asyncio.timeout(PATIENCE + len(shots) / 100):
            found = await asyncio.gather(*(self._fire_along(share) for share in shares))
        return [found[n % self.connections][n // self.connections] for n in range(len(shots))]

    async def _fire_along(self, shots: Sequence[Shot]) -> list[Hit]:
        hits: list[Hit] = []
        while len(hits) < len(shots):
            came = await self._one_connection(shots[len(hits) :])
            # Closed before the first answer: then it is this shot that got none.
            hits += came or [Hit(shots[len(hits)], 0)]
        return hits

    async def _one_connection(self, shots: Sequence[Shot]) -> list[Hit]:
        """As many answers as the server gives before it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.app.url.rpartition(":")[2]))
        hits: list[Hit] = []
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            for start in range(0, len(shots), AT_ONCE):
                some = shots[start : start + AT_ONCE]
                writer.write(b"".join(shot.written(self.key) for shot in some))
                for shot in some:
                    hit, closes = await _read(reader, shot)
                    hits.append(hit)
                    if closes:
                        raise ConnectionResetError
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return hits


async def _read(reader: asyncio.StreamReader, shot: Shot) -> tuple[Hit, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
    body = await reader.readexactly(length) if length else b""
    if "transfer-encoding: chunked" in head:
        body = await _read_chunks(reader)
    return Hit(shot, status, body), "connection: close" in head


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")
    return body


@dataclass
class Range:
    """A daemon with every door, and everything it says that it should not have to."""

    app: App
    gun: Gun
    routes: dict[tuple[str, str], Route]
    failures: list[str] = field(default_factory=list)
    shot: type[Shot] = Shot

    async def rest(self) -> None:
        """What has come in is stored and judged."""
        head = -1
        while head != self.app.daemon.store.head:
            head = self.app.daemon.store.head
            await self.app.settle()
            await asyncio.sleep(0.05)

    async def sums(self) -> tuple[Any, ...]:
        """What a refused body must leave as it is."""
        await self.rest()
        shots = [Shot("GET", path) for path in ("/api/agents?all=1", "/api/costs", "/api/alerts", "/api/runs",
                                                "/api/silences", "/api/keys", "/api/commands")]
        hits = await self.gun.fire(shots)
        assert {hit.status for hit in hits} == {200}, hits
        return (self.app.daemon.store.head, *(hit.body for hit in hits))


    async def serves(self) -> None:
        """An honest client is served, and all is well."""
        event = {"agentId": "last", "type": "cost", "data": {"costUsd": 0.5}}
        said = await self.gun.fire([Shot("POST", "/api/events", JSON, packed(event))])
        assert said[0].status == 201, said
        agent, health, ready = await self.gun.fire(
            [Shot("GET", path) for path in ("/api/agents/last", "/health", "/readyz")]
        )
        assert json.loads(agent.body)["costUsd"] >= 0.5
        assert (json.loads(health.body)["status"], ready.status) == ("ok", 200)


@pytest.fixture
def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Everything that was logged as an error."""
    found: list[str] = []

    def note(logger: Any, method: str, event: Any) -> Any:
        if method in ("error", "exception", "critical"):
            found.append(f"{event.get('event')}: {event!r:.2000}")
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, note])
    try:
        yield found
    finally:
        structlog.reset_defaults()


@pytest.fixture
async def firing_range(
    tmp_path: Path, failures: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Range]:
    routes: dict[tuple[str, str], Route] = {}
    register = Gate.door

    def noting(gate: Gate, name: str, api: Api, route: Route) -> Any:
        routes[route.method, route.path] = route
        return register(gate, name, api, route)

    monkeypatch.setattr(Gate, "door", noting)
    config = {
        "storage": {"sqlite": {"durability": "normal"}},
        # Else the doors' own limits would keep most of it from what reads it.
        "apis": {"freeagentics": {"limits": "development"}, "clawdnet": {"rest": None}},
    }
    async with run_app(tmp_path, config) as app:
        yield Range(app, Gun(app, app.key), routes, failures)


@pytest.fixture
def resident() -> Any:
    """Bytes of memory this process holds."""
    return lambda: psutil.Process().memory_info().rss


RECORDING = [
    {"kind": "recording", "node_id": "6f1b7c52-8d1e-4a06-9a52-0f6d6e1c9b11", "run_id": "r"},
    {"kind": "agent", "agent_id": "x", "persona_id": "p", "segment": "s", "region": "g", "initial_state": {"mood": 1}},
    {"kind": "tick", "tick": 0, "metrics": {"m": 1.5}, "world_state": {}},
    {"kind": "tick", "tick": 1, "metrics": {"m": 2.5}, "world_state": {}},
    {"kind": "end", "aggregates": {"m": 2}},
]


@pytest.fixture
async def names(firing_range: Range) -> dict[str, str]:
    """An agent with an alert and a command, so that shots can name them."""
    gun = firing_range.gun
    error = packed({"agentId": "a", "type": "error", "data": {"error": "boom"}})
    await gun.fire([Shot("POST", "/api/events", JSON, error)] * 4)
    await firing_range.rest()
    await gun.fire([Shot("POST", "/api/agents/a/pause")])
    recording = b"\n".join(map(packed, RECORDING))
    alerts, commands, system, recorded = await gun.fire([
        *(Shot("GET", path) for path in ("/api/alerts", "/api/commands", "/api/system")),
        Shot("POST", "/api/recordings", (("Content-Type", "application/x-ndjson"),), recording),
    ])
    return {
        "alert": json.loads(alerts.body)["alerts"][0]["id"],
        "command": json.loads(commands.body)["commands"][0]["id"],
        "cursor": json.loads(system.body)["cursor"],
        "agent": "a",
        "run": "r",
        "recording": json.loads(recorded.body)["id"],
    }


HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, 0.1, -0.0, 1e308, 5e-324,
    float("nan"), float("inf"), "", " ", "\0", "\r\n", "a" * 201, "a" * 5_000, "\u202e\u2066", "\ud800", "🦞",
    "../../x", "%00", "'; DROP TABLE events; --", "<script>", "${jndi:ldap://x}", "{{7*7}}", "9" * 400, "1e999", "-",
    "nan", "null", "0001-01-01T00:00:00Z", "9999-12-31T23:59:60Z",
    "2026-02-30T00:00:00+99:99", "1000000000000d", "-5m", "*", "**[",
    [], {}, [[]], [None], {"": None}, {"a": {"a": {"a": []}}}, ["x"] * 300, {str(n): n for n in range(300)},
]
TOKENS = [
    b"[" * 3_000, b'{"a":' * 3_000, b"]" * 9, b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"1e999", b"-0",
    b"1" * 5_000, b"NaN", b"Infinity", b"\xff\xfe", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\n\n", b",",
    b"null", b'"agentId":', b'"data":', b"\x80" * 12, b"\xff" * 10 + b"\x01", b"\x0a\xff\xff\xff\xff\x0f",
]


TYPES = ("application/json", "application/x-ndjson", "application/x-protobuf", "text/plain; charset=\xff", "")


class Mutator:
    """Makes bad bodies of good ones."""

    hostile = HOSTILE

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._ways: list[Callable[[bytes], bytes]] = [
            self._flip, self._flip, self._cut, self._drop, self._double, self._stuff, self._revalue, self._revalue,
            self._revalue, bytes,
        ]

    def mutate(self, body: bytes, other: bytes) -> bytes:
        if self.rng.random() < 0.05:
            body = body[: self.rng.randrange(len(body) + 1)] + other[self.rng.randrange(len(other) + 1) :]
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            body = self.rng.choice(self._ways)(body)
        return body

    def _flip(self, body: bytes) -> bytes:
        bits = bytearray(body)
        for _ in range(self.rng.choice((1, 1, 2, 8)) if bits else 0):
            bits[self.rng.randrange(len(bits))] ^= 1 << self.rng.randrange(8)
        return bytes(bits)

    def _span(self, body: bytes) -> tuple[int, int]:
        start = self.rng.randrange(len(body) + 1)
        return start, min(len(body), start + self.rng.choice((1, 2, 8, 64, 512)))

    def _cut(self, body: bytes) -> bytes:
        return body[: self.rng.randrange(len(body) + 1)]

    def _drop(self, body: bytes) -> bytes:
        start, end = self._span(body)
        return body[:start] + body[end:]

    def _double(self, body: bytes) -> bytes:
        start, end = self._span(body)
        return body[:end] + body[start:end] * self.rng.choice((1, 2, 50)) + body[end:]

    def _stuff(self, body: bytes) -> bytes:
        at = self.rng.randrange(len(body) + 1)
        return body[:at] + self.rng.choice(TOKENS) + body[at:]

    def _revalue(self, body: bytes) -> bytes:
        """Another value, key or place somewhere in what the body says."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return self._rewire(body)
        places = list(places_in(value))
        if not places:
            return packed(self.rng.choice(HOSTILE))
        inside, key = self.rng.choice(places)
        match self.rng.randrange(4):
            case 0 if isinstance(inside, dict):
                inside[self.rng.choice(("agentId", "id", "", "\0", "x" * 300))] = inside.pop(key)
            case 1:
                inside[key] = self.rng.choice(places)[0]
            case 2:
                del inside[key]
            case _:
                inside[key] = self.rng.choice(HOSTILE)
        with suppress(ValueError, RecursionError):  # it may hold itself now
            return packed(value)
        return body

    def _rewire(self, body: bytes) -> bytes:
        """Of protobuf: other lengths and numbers, so that what encloses them still fits now and then."""
        bits = bytearray(body)
        for _ in range(self.rng.randrange(1, 4) if bits else 0):
            bits[self.rng.randrange(len(bits))] = self.rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x08, 0x12, 0x1A))
        with suppress(DecodeError):
            message = ExportLogsServiceRequest.FromString(bytes(bits))
            for logs in message.resource_logs:
                for scope in logs.scope_logs:
                    for record in scope.log_records:
                        record.time_unix_nano = self.rng.choice((0, 1, 2**63, 2**64 - 1))
            return message.SerializeToString()
        return bytes(bits)

    def shelled(self, body: bytes, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple[str, str], ...], bytes]:
        """Now and then packed, packed and broken, or called what it is not."""
        if self.rng.random() < 0.1:
            body = gzip.compress(body, 1) if self.rng.random() < 0.7 else zlib.compress(body, 1)
            body = self._flip(body) if self.rng.random() < 0.5 else self._cut(body) if self.rng.random() < 0.5 else body
            headers = (*headers, ("Content-Encoding", self.rng.choice(("gzip", "gzip", "deflate", "br", "gzip, gzip"))))
        if self.rng.random() < 0.03:
            headers = (("Content-Type", self.rng.choice(TYPES)),)
        return headers, body


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything inside a value: the container, and the key or index."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def mutator_of() -> Callable[[int], Mutator]:
    return lambda seed: Mutator(random.Random(seed))


@pytest.fixture
def seed_of() -> Callable[[bool], int]:
    return lambda is_ci: SEED or (0 if is_ci else random.SystemRandom().randrange(1, 2**32))
