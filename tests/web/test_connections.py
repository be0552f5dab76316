"""Limits on connections, over real sockets and with short deadlines."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from clawatch.apis.bodies import read_body
from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.web.counters import Counters
from clawatch.web.intake import ConnectionLimits
from clawatch.web.server import WebSettings

QUICK = ConnectionLimits(
    head=0.3, body=0.3, rate=1_000_000, unfinished=30, per_address=20, patience=0.1, answer=0.3, sweep_every=0.02
)
"""A body has 0.3 s, and hardly gains more by coming."""
LASTING = ConnectionLimits(head=60, body=60, unfinished=30, per_address=20, patience=0.1, sweep_every=0.02)
"""Nothing is too slow; too many there may be."""
PARTIAL = b"GET /livez HTTP/1.1\r\nHost: local"


class Door:
    def __init__(self) -> None:
        self.read: list[int] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def take(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        body = await read_body(request)
        self.read.append(len(body))
        self.begun.set()
        if "wait" in request.query:
            await self.go_on.wait()
        return reply({"size": len(body)})

    async def wait(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        await self.go_on.wait()
        return reply({"size": len(await read_body(request))})

    async def never_read(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        await self.go_on.wait()
        return reply({})

    async def flood(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        return web.Response(body=bytes(64 * 1024 * 1024))

    def apis(self) -> list[tuple[str, Api]]:
        routes = (
            Route("POST", "/take", self.take, None, ""),
            Route("POST", "/brake", self.take, Scope.INGEST, "", is_answered_over_rate=True),
            Route("POST", "/wait", self.wait, None, ""),
            Route("POST", "/never", self.never_read, None, ""),
            Route("GET", "/flood", self.flood, None, ""),
        )
        return [("door", Api(routes, clawatch_envelope))]


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """What comes until the server closes; it must within ten seconds."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def answer(self) -> tuple[int, Any]:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            body = await self.reader.readexactly(int(length.partition(b":")[2]))
        return int(head.split()[1]), json.loads(body)

    def is_open(self) -> bool:
        return not self.reader.at_eof()


Connect = Callable[[int], Awaitable[Wire]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    wires: list[Wire] = []

    async def to(port: int) -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return wires[-1]

    yield to
    for wire in wires:
        wire.writer.close()


@pytest.fixture
def door() -> Door:
    return Door()


Serve = Callable[..., Awaitable[tuple[Any, Counters]]]


@pytest.fixture
async def serve(site_with: Any, door: Door, counters: Counters) -> Serve:
    async def start(limits: ConnectionLimits, **settings: Any) -> tuple[Any, Counters]:
        web_settings = WebSettings(connections=limits, **settings)
        return await site_with(web=web_settings, apis=door.apis(), counters=counters), counters

    return start


@pytest.fixture
def counters() -> Counters:
    return Counters()


async def eventually(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)


def head(path: str, length: int, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}\r\n".encode()


# -- heads


async def test_half_a_head_is_told_that_it_is_too_slow_and_closed(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(PARTIAL)
    said = await wire.rest()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"error": "The request took too long to arrive"}
    assert counters.slow_heads == 1


async def test_who_says_nothing_at_all_is_closed_without_a_word(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(QUICK)
    assert await (await connect(site.port)).rest() == b""
    assert counters.slow_heads == 1


async def test_a_head_byte_by_byte_gains_no_time(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(b"GET /livez HTTP/1.1\r\nX: ")

    async def drip() -> None:
        while True:
            wire.send(b"x")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    await wire.rest()
    dripping.cancel()
    assert counters.slow_heads == 1


async def test_a_connection_between_two_requests_may_rest_and_the_second_head_is_timed_anew(
    serve: Serve, connect: Connect
) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await wire.answer())[0] == 200
    assert counters.unfinished == 0
    late = await connect(site.port)
    assert await late.rest() == b""  # as long as the deadline, and longer
    wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await wire.answer())[0] == 200
    wire.send(PARTIAL)
    assert b" 408 " in await wire.rest()
    assert counters.slow_heads == 2


async def test_a_head_behind_a_request_that_is_being_handled_waits_without_blame(
    serve: Serve, connect: Connect, door: Door
) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(head("/wait", 0) + PARTIAL)
    other = await connect(site.port)
    await other.rest()
    door.go_on.set()
    assert (await wire.answer())[0] == 200
    wire.send(b"host\r\n\r\n")
    assert (await wire.answer())[0] == 200
    assert counters.slow_heads == 1


# -- bodies


async def test_a_body_of_a_byte_a_second_is_refused_and_closed(serve: Serve, connect: Connect, door: Door) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(head("/take", 100_000) + b"x")
    said = await wire.rest()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in said
    assert (counters.slow_bodies, counters.unfinished, counters.body_bytes) == (1, 0, 0)
    assert door.read == []


async def test_a_body_that_nobody_reads_is_cut(serve: Serve, connect: Connect, door: Door) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    wire.send(head("/never", 100_000) + b"x")
    assert await wire.rest() == b""
    assert counters.slow_bodies == 1
    door.go_on.set()


async def test_a_body_that_flows_may_take_longer(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(ConnectionLimits(body=0.1, rate=100, sweep_every=0.02))
    wire = await connect(site.port)
    wire.send(head("/take", 1_000) + b"x" * 999)
    late = await connect(site.port)
    late.send(head("/take", 10) + b"x")
    assert b" 408 " in await late.rest()  # that one gained nothing
    wire.send(b"x")
    assert await wire.answer() == (200, {"size": 1_000})
    assert counters.slow_bodies == 1


async def test_time_in_which_we_do_not_read_is_not_the_clients(serve: Serve, connect: Connect, door: Door) -> None:
    site, counters = await serve(QUICK)
    wire = await connect(site.port)
    size = 2_000_000  # more than is taken in before a handler reads
    wire.send(head("/wait", size) + bytes(size))
    other = await connect(site.port)
    await other.rest()
    door.go_on.set()
    assert await wire.answer() == (200, {"size": size})
    assert counters.slow_bodies == 0


# -- too many


async def test_three_hundred_half_open_requests_are_closed_and_others_are_served_meanwhile(
    serve: Serve, connect: Connect
) -> None:
    site, counters = await serve(LASTING)
    wires = [await connect(site.port) for _ in range(300)]
    for wire in wires:
        wire.send(PARTIAL)
    reading = [asyncio.create_task(wire.rest()) for wire in wires]
    while counters.unfinished > LASTING.per_address:
        assert (await site.ask("GET", "/livez")).status == 200
    assert counters.crowded_out == 300 - LASTING.per_address
    said = [task.result() async for task in finished(reading[: 300 - LASTING.per_address])]
    words = {answer.partition(b"\r\n")[0] for answer in said}
    assert words <= {b"HTTP/1.1 503 Service Unavailable", b""}  # nothing is said to who has not begun to speak
    assert not any(task.done() for task in reading[-LASTING.per_address :])
    for task in reading:
        task.cancel()


async def finished(tasks: list[asyncio.Task[bytes]]) -> AsyncIterator[asyncio.Task[bytes]]:
    for task in tasks:
        await task
        yield task


async def test_behind_a_trusted_proxy_only_the_total_counts(
    serve: Serve, connect: Connect, site_with: Any, door: Door, counters: Counters
) -> None:
    site = await site_with(
        web=WebSettings(connections=LASTING), apis=door.apis(), counters=counters, trusted_proxies=("127.0.0.1",)
    )
    wires = [await connect(site.port) for _ in range(40)]
    for wire in wires:
        wire.send(PARTIAL)
    await eventually(lambda: counters.unfinished == LASTING.unfinished)
    assert counters.crowded_out == 10


async def test_idle_connections_are_not_unfinished(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(LASTING)
    wires = [await connect(site.port) for _ in range(50)]
    for wire in wires:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await wire.answer())[0] == 200
    assert (counters.open, counters.unfinished) == (50, 0)
    for wire in wires:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await wire.answer())[0] == 200
    assert counters.crowded_out == 0


async def test_of_too_many_idle_connections_the_longest_idle_go(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(replace(LASTING, resting=3))
    wires = [await connect(site.port) for _ in range(5)]
    for wire in wires:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await wire.answer())[0] == 200
        await asyncio.sleep(0)
    await eventually(lambda: counters.rested == 2)
    assert [await wire.rest() for wire in wires[:2]] == [b"", b""]
    assert (counters.resting, counters.open) == (3, 3)
    wires[2].send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await wires[2].answer())[0] == 200


async def test_sockets_are_neither_unfinished_nor_idle(site_with: Any, counters: Counters) -> None:
    site = await site_with(web=WebSettings(connections=QUICK), counters=counters)
    headers = await site.key()
    async with AsyncExitStack() as stack:
        open_ = [await stack.enter_async_context(site.client.ws_connect(site.origin + "/ws", headers=headers))
                 for _ in range(5)]
        for ws in open_:
            await ws.receive_json(timeout=5)
            await ws.send_json({})
            assert await ws.receive_json(timeout=5) == {}
        await eventually(lambda: counters.resting == 0)
        assert counters.unfinished == 0


# -- bodies in flight


async def test_what_all_bodies_hold_together_is_bounded_and_a_brake_answers_all_the_same(
    serve: Serve, connect: Connect, door: Door
) -> None:
    site, counters = await serve(ConnectionLimits(), bodies_in_flight=100_000)
    first = await connect(site.port)
    first.send(head("/take?wait=1", 90_000) + bytes(90_000))
    await door.begun.wait()
    assert counters.body_bytes == 90_000
    refused = await site.ask("POST", "/take", data=bytes(20_000))
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    assert (await site.ask("POST", "/take", data=bytes(5_000))).status == 200
    assert (await site.ask("POST", "/brake", data=bytes(20_000), headers=await site.key())).status == 200
    door.go_on.set()
    assert (await first.answer())[0] == 200
    assert (await site.ask("POST", "/take", data=bytes(20_000))).status == 200
    assert (counters.body_bytes, counters.too_busy) == (0, 1)


async def test_a_body_of_64_mb_is_refused_by_its_head_or_its_first_megabytes(serve: Serve, connect: Connect) -> None:
    site, counters = await serve(ConnectionLimits())
    wire = await connect(site.port)
    wire.send(head("/take", 64 * 1024 * 1024))
    assert (await wire.answer())[0] == 413
    wire.writer.close()
    wire = await connect(site.port)
    wire.send(b"POST /take HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(65):  # not 1,024
        wire.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert (await wire.answer())[0] == 413
    wire.writer.close()
    assert (counters.too_large, counters.body_bytes) == (2, 0)


# -- slow readers


async def test_a_client_that_does_not_take_its_answer_is_cut(serve: Serve) -> None:
    site, counters = await serve(QUICK)
    with socket.create_connection(("127.0.0.1", site.port)) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(sock, b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await eventually(lambda: counters.slow_readers == 1)
        await eventually(lambda: counters.open == 0)


async def test_a_client_that_takes_its_answer_slowly_but_steadily_gets_it_all(serve: Serve) -> None:
    site, counters = await serve(ConnectionLimits(body=0.3, rate=5_000_000, sweep_every=0.02))
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", site.port)) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, b"GET /flood HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = 0
        while chunk := await loop.sock_recv(sock, 1_000_000):
            got += len(chunk)
            await asyncio.sleep(0.01)
    assert got > 64 * 1024 * 1024
    assert counters.slow_readers == 0
