"""Answers that never change: their tags, what clients hold already, and packed ones for those who take them.

A recording is immutable, so the tag of an answer is had without the answer: from the recording and the question.
The packed answer has a tag of its own, since a strong tag stands for the bytes.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from clawatch.domain.recordings import Recording

HOUR, DAY = 3600, 86400
"""Seconds."""
_ANYTHING = "*"
_FORMAT = "1"
"""Another one when bodies change their shape: what clients hold is no longer right then."""
_VARY = "Authorization, X-ClaWatch-Key, Cookie, Accept-Encoding"
"""What an answer depends on: it is public for those who send the same key, and nobody else."""
_PACKED = 2 * 1024
"""Bytes from which an answer is packed."""
_LARGE = 64 * 1024
"""Bytes from which encoding and packing are another thread's work."""
_MOST_BYTES, _MOST_EACH = 16 * 1024 * 1024, 1024 * 1024

Make = Callable[[], Awaitable[Any]]


def tag_of(recording: Recording, what: str, query: object) -> str:
    """Strong, quoted."""
    told = f"{_FORMAT} {recording.id} {recording.completed_at} {what} {query!r}"
    return f'"{hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()}"'


def packed_tag(tag: str) -> str:
    return f'{tag[:-1]}-gzip"'


class Answers:
    """The latest answers, in bounded memory."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._room = most_bytes

    async def give(self, request: web.Request, tag: str, seconds: int, make: Make) -> web.Response:
        """What ``make`` makes, unless the client holds it already."""
        held = _held(request, tag)
        if held is not None and held != _ANYTHING:
            return web.Response(status=304, headers=_headers(held, seconds))
        body = await self._plain(tag, make)
        is_plain = len(body) < _PACKED or not _takes_gzip(request)
        if held == _ANYTHING:
            return web.Response(status=304, headers=_headers(tag if is_plain else packed_tag(tag), seconds))
        if is_plain:
            return web.Response(body=body, content_type="application/json", headers=_headers(tag, seconds))
        packed = await self._packed(packed_tag(tag), body)
        headers = {**_headers(packed_tag(tag), seconds), "Content-Encoding": "gzip"}
        return web.Response(body=packed, content_type="application/json", headers=headers)

    async def _plain(self, tag: str, make: Make) -> bytes:
        body = self._get(tag)
        if body is None:
            value = await make()
            body = value if isinstance(value, bytes) else msgspec.json.encode(value)
            self._keep(tag, body)
        return body

    async def _packed(self, tag: str, body: bytes) -> bytes:
        packed = self._get(tag)
        if packed is None:
            packed = pack(body) if len(body) < _LARGE else await asyncio.to_thread(pack, body)
            self._keep(tag, packed)
        return packed

    def _get(self, tag: str) -> bytes | None:
        body = self._kept.get(tag)
        if body is not None:
            self._kept.move_to_end(tag)
        return body

    def _keep(self, tag: str, body: bytes) -> None:
        if len(body) > _MOST_EACH or tag in self._kept:
            return
        self._kept[tag] = body
        self._room -= len(body)
        while self._room < 0:
            self._room += len(self._kept.popitem(last=False)[1])


async def encoded(value: Any, values: int) -> bytes:
    """As JSON; much of it on another thread. ``values``: about how many numbers it has."""
    if values < _LARGE // 16:
        return msgspec.json.encode(value)
    return await asyncio.to_thread(msgspec.json.encode, value)


def pack(body: bytes) -> bytes:
    """The same bytes for the same body: no time in it."""
    return gzip.compress(body, 6, mtime=0)


def _headers(tag: str, seconds: int) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": f"public, max-age={seconds}", "Vary": _VARY}


def _held(request: web.Request, tag: str) -> str | None:
    """What the client holds, plain or packed, or anything; compared weakly, as RFC 9110 §13.1.2 has it."""
    given = ",".join(request.headers.getall("If-None-Match", []))
    if given.strip() == _ANYTHING:
        return _ANYTHING
    held = {one.strip().removeprefix("W/") for one in given.split(",")}
    return next((known for known in (tag, packed_tag(tag)) if known in held), None)


def _takes_gzip(request: web.Request) -> bool:
    for one in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
