"""SIGTERM: what is under way is finished, who waits is let go, and all of it takes less than ten seconds."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import Any

from aiohttp import ClientSession, WSMsgType

WITHIN = 10.0


async def half_a_request(daemon: Any, body: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An event on its way, of which the last byte is missing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(daemon.url.rpartition(":")[2]))
    head = (
        f"POST /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ClaWatch-Key: {daemon.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[:-1])
    await writer.drain()
    return reader, writer


async def stalled_reader(daemon: Any) -> asyncio.StreamWriter:
    """A WebSocket whose client has stopped reading."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(daemon.url.rpartition(":")[2]), limit=1)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ClaWatch-Key: {daemon.key}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await writer.drain()
    return writer


async def test_everything_under_way_is_finished_within_ten_seconds(launcher: Any, daemon: Any, until: Any) -> None:
    await daemon.post("/api/events", {"agentId": "a", "type": "heartbeat"})
    body = json.dumps({"agentId": "a", "type": "message", "id": "last"}).encode()
    async with ClientSession(headers={"X-ClaWatch-Key": daemon.key}) as session:
        ws = await session.ws_connect(f"{daemon.url}/ws")
        await ws.send_json({"type": "subscribe", "topics": ["events"]})
        await ws.receive_json()
        stalled = await stalled_reader(daemon)
        waiting = asyncio.create_task(daemon.get("/api/agents/a/commands?wait=60"))
        reader, writer = await half_a_request(daemon, body)

        async def is_under_way() -> bool:
            async with session.get(f"{daemon.url}/metrics") as answer:
                return b"clawatch_http_unfinished 1.0" in await answer.read()

        await until(is_under_way)
        began = time.monotonic()
        daemon.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN):
            assert await waiting == {"commands": []}
            while (message := await ws.receive()).type is WSMsgType.TEXT:
                pass
            assert message.data in (1001, 1012)
            writer.write(body[-1:])
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert await daemon.stop() == 0
        assert time.monotonic() - began < WITHIN
        stalled.close()
        writer.close()
    again = await launcher.start()
    assert "last" in [event["id"] for event in (await again.get("/api/events"))["events"]]
    assert await again.stop() == 0


async def test_a_request_that_never_ends_does_not_hold_it_up(daemon: Any) -> None:
    _, writer = await half_a_request(daemon, b"{}")
    began = time.monotonic()
    assert await daemon.stop() == 0
    assert time.monotonic() - began < WITHIN
    writer.close()
