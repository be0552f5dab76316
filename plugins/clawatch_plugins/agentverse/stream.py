"""The stream: a run's ticks as server-sent events, chunk by chunk, as fast as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

from clawatch.apis.pace import Pace
from clawatch.domain.recordings import Recording
from clawatch.domain.recordings.slices import Slice
from clawatch.ports import RecordingsPort

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "Vary": "Authorization, X-ClaWatch-Key, Cookie",
    "X-Accel-Buffering": "no",
}


async def stream(
    request: web.Request, recordings: RecordingsPort, recording: Recording, size: int, metrics: tuple[str, ...]
) -> web.StreamResponse:
    if request.method == "HEAD":
        return web.Response(headers=_HEADERS)
    response = web.StreamResponse(headers=_HEADERS)
    try:
        await response.prepare(request)
        total = recording.total_ticks
        number = max(1, -(-total // size))
        async for chunk in _chunks(recordings, recording, size, number, metrics):
            await response.write(chunk)
        await response.write(_event("complete", {"total_chunks": number, "total_ticks": total}))
        await response.write_eof()
    except ConnectionError:
        pass  # the client has gone, and with it whatever would have come
    return response


async def _chunks(
    recordings: RecordingsPort, recording: Recording, size: int, number: int, metrics: tuple[str, ...]
) -> AsyncIterator[bytes]:
    """The labels overlap as the contract's do (0–10, 10–20); the data does not: half-open, the last one closed.

    While a client is slow nothing is kept for it but the written chunk.
    """
    total, pace = recording.total_ticks, Pace()
    points = recordings.points(recording, Slice(first=0, last=total, metrics=metrics))
    data: list[dict[str, Any]] = []
    place = 0
    async for point in points:
        if point["tick"] >= (place + 1) * size and place < number - 1:
            chunk = _chunk(place * size, (place + 1) * size, data)
            data, place = [], place + 1
            yield chunk
        data.append(point)
        await pace.step()
    yield _chunk(place * size, total, data)


def _chunk(start: int, end: int, data: list[dict[str, Any]]) -> bytes:
    return _event("chunk", {"start_tick": start, "end_tick": end, "data": data})


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
