"""An hour of coming and going at every door, and of events beside it: what is left of it afterwards is nothing."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from clawatch.apis.bodies import InFlight
from clawatch.apis.fanout import Fanout
from clawatch.apis.socket_limits import Counters
from clawatch.domain.time import MINUTE

T = TypeVar("T")

MINUTES = 60
EACH_MINUTE = 2
"""Connections to each door."""
WITHIN = 20.0
HELLO = (
    "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
NODE = "6f1b7c52-8d1e-4a06-9a52-0f6d6e1c9b11"
KEY = "token={key}"
DOORS = (
    "/ws?" + KEY, "/telemetry?" + KEY, "/telemetry", "/api/v1/ws?" + KEY, "/api/v1/ws", "/api/ws/agents?" + KEY,
    "/ws/tasks?" + KEY, "/ws/round_table", "/ws/metrics", "/ws/nowhere", f"/api/v1/telemetry/{NODE}/stream",
)
FRAMES = (
    b'{"type":"auth","token":"wrong"}', b'{"type":"ping"}', b"[" * 100, b"\xff", b"{}",
    b'{"type":"subscribe","agents":["*"],"agent_id":"a","data":{"events":["metrics","agent_status"]}}',
    b'{"type":"metrics","agent_id":"bot","data":{"cpu_percent":1}}',
    b'{"type":"command","data":{"agent_id":"bot","command":"get_status"}}',
    b'{"type":"configure","data":{"metrics_interval":100}}',
)  # fmt: skip


def masked(text: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


async def come_and_go(port: int, path: str, key: str, rng: random.Random) -> None:
    """As clients do that lose their network, their patience or their mind."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        given = f"X-ClaWatch-Key: {key}\r\n" if path.endswith("/stream") else ""
        writer.write(f"GET {path.format(key=key)} HTTP/1.1\r\n{HELLO}{given}\r\n".encode())
        way = rng.randrange(5)
        if way:
            writer.writelines(masked(rng.choice(FRAMES)) for _ in range(rng.randrange(4)))
        if way > 1:
            await reader.readuntil(b"\r\n\r\n")
        if way == 3:
            writer.write(masked(b"")[:1] + b"\xff" * 20)
        if way == 4:
            writer.close()
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


def all_of(kind: type[T]) -> Iterator[T]:
    return (one for one in gc.get_objects() if isinstance(one, kind))


def left_behind(firing_range: Any) -> dict[str, Any]:
    """What is held for anybody, as it stands."""
    return {
        "users": sum((one.by_user for one in all_of(Counters)), Counter()),
        "addresses": sum((one.by_address for one in all_of(Counters)), Counter()),
        "sessions": sum(one.totals().open for one in all_of(Counters)),
        "listeners": sum(len(one.sessions) for one in all_of(Fanout)),
        "bodies": sum(one.held for one in all_of(InFlight)),
        "shown": sum(firing_range.app.daemon.core.metrics.counts("clawatch_websocket_sessions").values()),
    }


def tasks() -> Counter[str]:
    return Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())


async def gone(condition: Callable[[], bool]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(WITHIN):
            while not condition():
                await asyncio.sleep(0.05)


@pytest.fixture
async def recording(firing_range: Any) -> None:
    lines = [b'{"kind":"recording","node_id":"%s"}' % NODE.encode()]
    lines += [b'{"kind":"tick","tick":%d,"metrics":{"m":%d}}' % (n, n) for n in range(500)]
    body = b"\n".join([*lines, b'{"kind":"end"}'])
    said = await firing_range.gun.fire([firing_range.shot("POST", "/api/recordings", (), body)])
    assert said[0].status == 201, said


@pytest.mark.usefixtures("recording")
async def test_an_hour_of_storms_at_every_door_leaves_nothing_behind(
    firing_range: Any, failures: list[str]
) -> None:
    app, rng = firing_range.app, random.Random(7)
    port = int(app.url.rpartition(":")[2])
    await asyncio.gather(*(come_and_go(port, path, app.key, rng) for path in DOORS for _ in range(10)))
    await gone(lambda: not any(left_behind(firing_range).values()))
    before, nothing = tasks(), left_behind(firing_range)  # some doors keep a task of theirs once they were used
    assert not any(nothing.values()), nothing
    event = b'{"agentId":"bot","type":"error","data":{"error":"boom"}}\n'
    flood = firing_range.shot("POST", "/api/events", (("Content-Type", "application/x-ndjson"),), event * 20)
    for _ in range(MINUTES):
        clients = [come_and_go(port, path, app.key, rng) for path in DOORS for _ in range(EACH_MINUTE)]
        await asyncio.gather(firing_range.gun.fire([flood] * 2), *clients)
        app.clock.advance(MINUTE)
    await gone(lambda: not any(left_behind(firing_range).values()) and not tasks() - before)
    assert left_behind(firing_range) == nothing
    assert not tasks() - before
    assert not failures
    await firing_range.serves()
