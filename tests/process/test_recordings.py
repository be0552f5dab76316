"""Recordings that are being written when the daemon is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import ClientError, ClientSession

NODE, OTHER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
BASE = "/api/v1/telemetry"
BATCH, BATCHES = 200, 10


def header(node: str) -> dict[str, Any]:
    return {"kind": "recording", "node_id": node, "run_id": "r", "metrics": ["m"]}


def packed(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def steps(start: int, **fields: Any) -> bytes:
    numbers = range(start, start + BATCH)
    return packed(*(
        {"kind": "step", "tick": n // 10, "agent_id": f"a{n % 10}", "state": {"n": n}, **fields} for n in numbers
    ))  # fmt: skip


async def test_what_was_acknowledged_of_an_import_outlives_a_kill_and_nothing_is_half_visible(
    launcher: Any, until: Any
) -> None:
    daemon = await launcher.start()
    headers = {"X-ClaWatch-Key": launcher.key}
    async with ClientSession(daemon.url, headers=headers) as session:
        async with session.post("/api/recordings", data=packed(header(NODE))) as answer:
            path = f"/api/recordings/{(await answer.json())['id']}"
        next_line = 2
        for batch in range(BATCHES):
            sent = {"X-Start-Line": str(next_line)}
            async with session.post(f"{path}/frames", data=steps(batch * BATCH), headers=sent) as answer:
                next_line = (await answer.json())["next_line"]
        whole = asyncio.create_task(send_for_ever(session))

        async def is_half_stored() -> bool:
            return OTHER in {one["node_id"] for one in (await daemon.get("/api/recordings"))["recordings"]}

        await until(is_half_stored)
        await daemon.kill()
        with contextlib.suppress(ClientError, ConnectionError):
            await whole

    again = await launcher.start()
    assert (await again.get(path))["next_line"] == next_line == 2 + BATCH * BATCHES
    async with ClientSession(again.url, headers=headers) as session:
        for node in (NODE, OTHER):
            async with session.get(f"{BASE}/{node}") as answer:
                assert answer.status == 404
        async with session.post(
            f"{path}/frames", data=packed({"kind": "end"}), headers={"X-Start-Line": str(next_line)}
        ) as answer:
            assert answer.status == 200
        async with session.post(f"{path}/complete") as answer:
            assert (await answer.json())["complete"] is True
        async with session.get(f"{BASE}/{NODE}/agent/a3") as answer:
            states = [step["state"]["n"] for step in (await answer.json())["trajectory"]]
    assert states == list(range(3, BATCH * BATCHES, 10))

    async def is_alone() -> bool:
        return {one["node_id"] for one in (await again.get("/api/recordings"))["recordings"]} == {NODE}

    await until(is_alone)
    await again.stop()


async def send_for_ever(session: ClientSession) -> None:
    """A whole body that never ends."""

    async def body() -> AsyncIterator[bytes]:
        yield packed(header(OTHER))
        start = 0
        while True:
            yield steps(start, reasoning="r" * 5000)
            start += BATCH
            await asyncio.sleep(0)  # the wire takes it all at once, and others want to ask

    async with session.post("/api/recordings", data=body()):
        pass
