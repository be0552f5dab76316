"""Every socket under fire: messages that are none, frames that are none, against a whole daemon."""

from __future__ import annotations

import asyncio
import json
import random
import struct
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

SOCKETS: dict[str, list[str]] = {
    "/ws": [
        json.dumps({"type": "subscribe", "agents": ["a*"], "topics": ["agents", "events"], "types": ["error"],
                    "cursor": None}),
        json.dumps({"type": "ping"}),
        json.dumps({"type": "auth", "token": "cw_" + "x" * 43}),
    ],
    "/telemetry": [
        json.dumps({"type": "metrics", "agent_id": "a", "timestamp": "2026-03-09T14:00:00Z",
                    "data": {"messages_1h": 142, "avg_response_ms": 12.5, "memory_mb": 100, "revenue_1h": 1}}),
        json.dumps({"type": "skills", "agent_id": "a",
                    "data": {"search": {"calls_1h": 3, "revenue_1h": "0.90", "avg_latency_ms": 5}}}),
        json.dumps({"type": "error", "agent_id": "a", "data": {"error_type": "timeout", "message": "m", "skill": "s"}}),
        json.dumps({"type": "status", "agent_id": "a", "status": "busy"}),
        json.dumps({"type": "subscribe", "agent_id": "a"}), json.dumps({"type": "ping"}),
        json.dumps({"type": "auth", "token": "cw_" + "x" * 43}),
    ],
    "/api/v1/ws": [
        json.dumps({"type": "subscribe", "data": {"events": ["agent.status"], "agents": ["a"],
                                                  "filters": {"severity": ["high"], "components": ["c"]}}}),
        json.dumps({"type": "unsubscribe", "data": {"events": []}}),
        json.dumps({"type": "configure", "data": {"metrics_interval": 500, "buffer_size": 10, "compression": False}}),
        json.dumps({"type": "command", "data": {"agent_id": "a", "command": "pause", "parameters": {"x": 1}},
                    "request_id": 7}),
        json.dumps({"type": "ping", "data": {"t": 1}}), json.dumps({"type": "connection_pool_info"}),
    ],
    "/api/ws/agents": [json.dumps({"type": "ping"}), json.dumps({"type": "subscribe", "filters": {"agent_type": "a"}})],
    "/ws/metrics": [json.dumps({"type": "ping"}), json.dumps({"type": "subscribe", "filters": []})],
}
"""What clients say on each; a door adds what its own hear."""
FRAMES = 150
"""As many as the strictest door takes from one connection, and a few more."""


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    "rounds", [3, pytest.param(100, marks=pytest.mark.nightly)], ids=["some", "many"]
)
async def test_no_message_on_a_socket_breaks_it(
    firing_range: Any, names: dict[str, str], mutator_of: Any, seed_of: Any, path: str, rounds: int
) -> None:
    """Messages that are read are answered or refused, and the connection stays; after each round it still answers."""
    mutator = mutator_of(seed_of(rounds == 3))
    rng, headers = mutator.rng, {"X-ClaWatch-Key": firing_range.app.key}
    said = [frame.encode() for frame in SOCKETS[path]]
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(rounds):
            async with session.ws_connect(firing_range.app.url + path) as ws:
                reading = asyncio.create_task(drain(ws))
                for _ in range(FRAMES):
                    frame = mutator.mutate(rng.choice(said), rng.choice(said))[:60_000]
                    with suppress(ConnectionError):
                        await (ws.send_bytes(frame) if rng.random() < 0.5 else ws.send_str(frame.decode("latin-1")))
                with suppress(ConnectionError):
                    await ws.close()
                assert await reading not in (1006, 1011), "it broke"
    assert not firing_range.failures
    await firing_range.serves()


async def drain(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in ws:
        pass
    return ws.close_code


@pytest.mark.parametrize("path", SOCKETS)
async def test_no_frame_below_the_messages_breaks_the_daemon(firing_range: Any, path: str) -> None:
    """Reserved bits and opcodes, lengths that lie, no mask, half a header: cut, and nothing is logged as an error."""
    rng = random.Random(0)
    said = [frame.encode() for frame in SOCKETS[path]]

    async def throw() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(firing_range.app.url.rpartition(":")[2]))
        upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                   ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
        writer.write(replace(firing_range.shot("GET", path), headers=upgrade).written(firing_range.app.key))
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(4):
                writer.write(broken_frame(rng, rng.choice(said)))
            writer.write(b"\x88\x80\0\0\0\0")  # closes, where the server still reads
            writer.write_eof()
            async with asyncio.timeout(10):
                await reader.read()
        writer.close()

    for _ in range(10):
        await asyncio.gather(*(throw() for _ in range(20)))
    assert not firing_range.failures
    await firing_range.serves()


def broken_frame(rng: random.Random, payload: bytes) -> bytes:
    """A frame as RFC 6455 has it, with some bit or other wrong."""
    mask = rng.randbytes(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    length = struct.pack(">BH", 0x80 | 126, len(payload)) if len(payload) > 125 else bytes([0x80 | len(payload)])
    frame = bytearray(bytes([0x81]) + length + mask + masked)
    for _ in range(rng.choice((0, 1, 1, 3))):
        frame[rng.randrange(min(len(frame), 10))] ^= 1 << rng.randrange(8)
    return bytes(frame) if rng.random() < 0.8 else bytes(frame[: rng.randrange(len(frame))])
