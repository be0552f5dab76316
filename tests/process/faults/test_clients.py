"""Clients that mean ill, or behave as if: the others are served, memory stays, and nothing of them is left behind."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import psutil
import pytest

from clawatch.web.intake import ConnectionLimits

Until = Callable[..., Awaitable[Any]]
MB = 1024 * 1024


@pytest.fixture
def measured(daemon: Any) -> psutil.Process:
    return psutil.Process(daemon.child.pid)


def bomb() -> bytes:
    """Half a megabyte that inflates to 512."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MB)
    return b"".join(packer.compress(zeros) for _ in range(512)) + packer.flush()


async def test_a_gzip_bomb_is_413_and_costs_less_than_20_mb(daemon: Any, measured: psutil.Process) -> None:
    packed = bomb()
    assert len(packed) < 0.6 * MB
    headers = {"X-ClaWatch-Key": daemon.key, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async def send() -> None:
            async with session.post(f"{daemon.url}/api/events", data=packed) as answer:
                assert (answer.status, set(await answer.json())) == (413, {"error"})

        await send_plain(session, daemon)
        before = measured.memory_info().rss
        for _ in range(5):
            await send()
        await asyncio.gather(*(send() for _ in range(4)))
        assert measured.memory_info().rss - before < 20 * MB


async def send_plain(session: aiohttp.ClientSession, daemon: Any) -> None:
    """As large a body as is taken, so that what it needs is there before anything is measured."""
    body = io.BytesIO(b'{"agentId": "a", "type": "heartbeat", "data": {"text": "' + b"x" * 3 * MB + b'"}}')
    async with session.post(f"{daemon.url}/api/events", data=body, headers={"Content-Encoding": "identity"}) as answer:
        assert answer.status == 201, await answer.text()


async def test_a_body_of_64_mb_is_refused_without_being_read(daemon: Any, measured: psutil.Process) -> None:
    before = measured.memory_info().rss
    reader, writer = await connect(daemon)
    writer.write(head(daemon, "POST", "/api/events", f"Content-Length: {64 * MB}\r\n"))
    async with asyncio.timeout(5):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    assert measured.memory_info().rss - before < 20 * MB


async def test_of_three_hundred_half_open_requests_few_may_stay_and_others_are_served_meanwhile(
    daemon: Any, until: Until
) -> None:
    """The rest of the deadlines, in seconds of their own, are tested on the web server alone."""
    cap = ConnectionLimits().per_address
    half = [await connect(daemon) for _ in range(300)]
    for _, writer in half:
        writer.write(b"POST /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    closed: set[int] = set()

    async def watch(index: int, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
        closed.add(index)

    watching = [asyncio.create_task(watch(index, reader)) for index, (reader, _) in enumerate(half)]

    async def most_are_closed() -> bool:
        status, _ = await daemon.post("/api/events", {"agentId": "a", "type": "heartbeat", "data": {}})
        assert status == 201
        return len(closed) >= 300 - cap

    await until(most_are_closed, 8.0)
    assert closed == set(range(300 - cap))  # the oldest
    for task in watching:
        task.cancel()
    for _, writer in half:
        writer.close()


async def test_stalled_socket_readers_are_cut_and_slow_down_nobody(
    daemon: Any, measured: psutil.Process, until: Until
) -> None:
    stalled = [stall(daemon) for _ in range(3)]
    before = measured.memory_info().rss
    heard: set[str] = set()
    async with (
        aiohttp.ClientSession(headers={"X-ClaWatch-Key": daemon.key}) as session,
        session.ws_connect(f"{daemon.url}/ws") as reading,
    ):
        listening = asyncio.create_task(listen(reading, heard))
        sent: list[str] = []

        async def are_cut() -> bool:
            sent.extend(await flood(session, daemon, len(sent)))
            return await ended_as_slow(session, daemon) == len(stalled)

        await until(are_cut, 30.0)

        async def has_heard_all() -> bool:
            return heard >= set(sent)

        await until(has_heard_all)
        listening.cancel()
    assert measured.memory_info().rss - before < 80 * MB
    for sock in stalled:
        sock.close()


async def listen(ws: aiohttp.ClientWebSocketResponse, heard: set[str]) -> None:
    async for message in ws:
        frame = json.loads(message.data)
        if frame["type"] == "event":
            heard.add(frame["data"]["id"])


async def flood(session: aiohttp.ClientSession, daemon: Any, first: int) -> list[str]:
    """Twenty events that say as much as is kept of them; their ids."""
    ids = [f"e{first + n}" for n in range(20)]
    batch = [{"agentId": "a", "type": "message", "id": one, "data": {"text": "x" * 8_000}} for one in ids]
    async with session.post(f"{daemon.url}/api/events", json=batch) as answer:
        assert answer.status == 201
    return ids


async def ended_as_slow(session: aiohttp.ClientSession, daemon: Any) -> int:
    async with session.get(f"{daemon.url}/metrics") as answer:
        said = await answer.text()
    counts = re.findall(r'clawatch_websocket_ended_total\{.*reason="too_slow".*\} (\S+)', said)
    return int(sum(map(float, counts)))


def stall(daemon: Any) -> socket.socket:
    """A client that follows the live stream and never reads it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", int(daemon.url.rpartition(":")[2])))
    sock.sendall(head(
        daemon, "GET", "/ws",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ))
    return sock


CACHED = 3
"""Descriptors of the database that come and go."""


async def test_a_reconnect_storm_leaves_no_session_behind(
    daemon: Any, measured: psutil.Process, until: Until
) -> None:
    await daemon.get("/api/agents")
    descriptors = measured.num_fds()
    async with aiohttp.ClientSession(headers={"X-ClaWatch-Key": daemon.key}) as session:

        async def come_and_go(n: int) -> None:
            for turn in range(5):
                with suppress(aiohttp.ClientError, ConnectionError):
                    ws = await session.ws_connect(f"{daemon.url}/ws")
                    if (n + turn) % 3 == 0:
                        await ws.send_json({"type": "subscribe", "agents": ["*"]})
                        await ws.receive(timeout=5)
                    if (n + turn) % 3 == 1:
                        connection = ws._response.connection
                        if connection is not None and connection.transport is not None:
                            connection.transport.abort()  # gone without a word
                    await ws.close()

        await asyncio.gather(*(come_and_go(n) for n in range(100)))
    hasty = [await connect(daemon) for _ in range(200)]
    for _, writer in hasty:
        writer.transport.abort()

    async def is_forgotten() -> bool:
        return measured.num_fds() <= descriptors + CACHED and connections(measured) <= 1

    await until(is_forgotten, 20.0)
    assert (await daemon.get("/health"))["status"] == "ok"


def connections(process: psutil.Process) -> int:
    return sum(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp"))


async def connect(daemon: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(daemon.url.rpartition(":")[2]))


def head(daemon: Any, method: str, path: str, more: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ClaWatch-Key: {daemon.key}\r\n{more}\r\n".encode()
