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
}
"""What clients say on each; a door adds what its own hear."""
FRAMES = 400


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    "rounds", [2, pytest.param(100, marks=pytest.mark.nightly)], ids=["some", "many"]
)
async def test_no_message_on_a_socket_breaks_it(
    firing_range: Any, names: dict[str, str], mutator_of: Any, seed_of: Any, path: str, rounds: int
) -> None:
    """Messages that are read are answered or refused, and the connection stays; after each round it still answers."""
    mutator = mutator_of(seed_of(rounds == 2))
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
