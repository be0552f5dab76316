"""The stream of server-sent events, read by a client that knows nothing of us."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
from clawatch_plugins.agentverse import door
from httpx_sse import aconnect_sse


async def hear(av: Any, make: Any, node: str = "", **query: Any) -> list[tuple[str, Any]]:
    url = f"{av.cw.url}/api/v1/telemetry/{node or make.node}/stream"
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {av.token}"}) as client,
        aconnect_sse(client, "GET", url, params=query) as source,
    ):
        return [(event.event, event.json()) async for event in source.aiter_sse()]


async def test_av_30_it_is_an_event_stream(av: Any, make: Any) -> None:
    url = f"{av.cw.url}/api/v1/telemetry/{make.node}/stream"
    headers = {"Authorization": f"Bearer {av.token}", "Accept": "text/event-stream"}
    async with av.cw.session.get(url, headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        assert (await answer.content.readline()) == b"event: chunk\n"


async def test_av_31_and_33_chunks_are_ten_ticks_unless_told_otherwise(av: Any, make: Any) -> None:
    heard = await hear(av, make)
    chunks = [data for name, data in heard if name == "chunk"]
    assert [(chunk["start_tick"], chunk["end_tick"]) for chunk in chunks] == [(n, n + 10) for n in range(0, 100, 10)]
    assert [len(chunk["data"]) for chunk in chunks] == [10] * 9 + [11]
    assert set(chunks[0]) == {"start_tick", "end_tick", "data"}


async def test_av_32_it_ends_with_what_there_was(av: Any, make: Any) -> None:
    heard = await hear(av, make)
    assert heard[-1] == ("complete", {"total_chunks": 10, "total_ticks": 100})
    assert [name for name, _ in heard] == ["chunk"] * 10 + ["complete"]


async def test_av_34_only_the_metrics_asked_for_come(av: Any, make: Any) -> None:
    heard = await hear(av, make, metrics="sentiment_shift", chunk_size=50)
    assert {frozenset(point) for _, data in heard[:-1] for point in data["data"]} == {
        frozenset({"tick", "sentiment_shift"})
    }
    await av.refusal("/stream", metrics="nonsense")


@pytest.mark.parametrize("last", [0, 1, 7, 95, 100])
@pytest.mark.parametrize("size", [1, 3, 10, 100, 1000])
async def test_av_35_all_chunks_together_are_the_whole_slice(av: Any, make: Any, last: int, size: int) -> None:
    """No tick twice, none lost; labels as far as the run goes."""
    node = str(uuid.uuid4())
    await av.record([make.header(node_id=node), *map(make.tick, range(last + 1)), {"kind": "end"}])
    heard = await hear(av, make, node, chunk_size=size)
    whole = (await av.ask("/slice", node=node)).body["data"]
    assert [point for _, data in heard[:-1] for point in data["data"]] == whole
    chunks = max(1, -(-last // size))
    assert heard[-1] == ("complete", {"total_chunks": chunks, "total_ticks": last})
    assert len(heard) == chunks + 1
    assert heard[-2][1]["end_tick"] == last


async def test_av_36_who_goes_away_ends_it(av: Any, make: Any) -> None:
    """Nothing is left running, and nothing is complained of."""
    node = str(uuid.uuid4())
    await av.record([make.header(node_id=node), *map(make.tick, range(5000)), {"kind": "end"}])
    reader, writer = await asyncio.open_connection("127.0.0.1", int(av.cw.url.rpartition(":")[2]))
    asked = f"GET /api/v1/telemetry/{node}/stream?chunk_size=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    writer.write(f"{asked}Authorization: Bearer {av.token}\r\n\r\n".encode())
    await reader.readuntil(b"event: chunk")
    writer.transport.abort()
    before = len(asyncio.all_tasks())

    async def is_over() -> bool:
        await av.get()
        return len(asyncio.all_tasks()) <= before

    await av.cw.eventually(is_over)


@pytest.mark.parametrize("size", ["0", "-1", "x", "10001", "1.5"])
async def test_av_36_a_chunk_that_is_none_is_refused(av: Any, size: str) -> None:
    await av.refusal("/stream", chunk_size=size)


async def test_a_recording_longer_than_a_block_streams_whole(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    await av.record([make.header(node_id=node), *map(make.tick, range(0, 700, 2)), {"kind": "end"}])
    heard = await hear(av, make, node, metrics="sentiment_shift", chunk_size=97)
    points = [point for _, data in heard[:-1] for point in data["data"]]
    assert [point["tick"] for point in points] == list(range(699))
    assert [point["sentiment_shift"] for point in points] == [tick // 2 * 2 / 100 for tick in range(699)]
    assert json.dumps(heard[-1][1]) == '{"total_chunks": 8, "total_ticks": 698}'


async def test_streams_hold_so_much_together_and_no_more(av: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_STREAMED", 5)
    refused = await av.ask("/stream", params={"chunk_size": "10", "metrics": "adoption_rate"})
    assert (refused.status, refused.body["error_code"]) == (503, "UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
    for _ in range(3):
        assert (await hear(av, make, chunk_size="5", metrics="adoption_rate"))[-1][0] == "complete"
