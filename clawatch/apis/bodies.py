"""Bodies of requests: read and inflated within a limit, and decoded with a clear refusal for anything else.

The web server runs without aiohttp's own inflation, which spends far more memory than the limit on a
gzip bomb. So ``request.read()`` and ``request.json()`` see compressed bytes; use these functions instead.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, overload

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from clawatch.apis.envelopes import Refused
from clawatch.apis.routes import Problem

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a body after inflation, unless a route says otherwise."""
PIECE = 64 * 1024
"""Inflated at most so much at a time."""
BOMB = 200
"""A streamed body that inflates to so many times its size is none that anybody writes; only large ones are judged."""
LARGE = 64 * 1024 * 1024
"""Bytes, inflated."""
ENCODINGS = "gzip, deflate"
IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of bodies that all requests under way may hold together."""
BUSY_RETRY = 2
"""Seconds after which a client may try again that met too many bodies in flight."""

T = TypeVar("T")


class BodyCutError(web.RequestPayloadError):
    """Raised where a body is read that the web server no longer waits for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class InFlight:
    """The bodies of all requests under way, inflated, until each is answered."""

    def __init__(self, limit: int = IN_FLIGHT) -> None:
        self.limit = limit
        self.held = 0
        self.refused = 0
        """Requests, since the start."""

    def counting(self, request: web.BaseRequest) -> AbstractContextManager[None]:
        """Count what ``read_body`` reads of this request until the block ends; without it nothing is counted."""
        share = request[_SHARE] = _Share(self)
        return share


class _Share:
    """One request's part of what is in flight."""

    __slots__ = ("_all", "size")

    def __init__(self, all: InFlight) -> None:
        self._all = all
        self.size = 0

    def __enter__(self) -> None:
        return

    def __exit__(self, *error: object) -> None:
        self._all.held -= self.size

    def grow(self, size: int) -> None:
        """Raises Refused (503) when all together would hold too much."""
        if self._all.held + size > self._all.limit:
            self._all.refused += 1
            raise Refused(
                503, "Too much is being sent at once; try again soon", "busy",
                headers={"Retry-After": str(BUSY_RETRY)},
            )
        self._all.held += size
        self.size += size


_SHARE = web.RequestKey("body", _Share)


class _Inflater(Protocol):
    """The part of zlib's decompression object that is used here."""

    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


async def read_body(request: web.BaseRequest, limit: int = MAX_BODY) -> bytearray:
    """The whole body, inflated. Never holds more than ``limit`` and a chunk.

    Raises Refused: 413 beyond the limit, 415 for an encoding other than gzip and deflate, 400 for broken ones,
    408 for one that comes too slowly, 503 while too much of others' bodies is in flight.
    """
    read = _read_packed if _is_packed(request, limit) else _read_plain
    try:
        return await read(request, limit)
    except _BROKEN as error:
        raise _refusal_of(request, error) from None


async def stream_body(request: web.BaseRequest, limit: int) -> AsyncIterator[bytes]:
    """The body piece by piece, inflated; only a piece of it is held. Raises Refused as ``read_body`` does."""
    is_packed = _is_packed(request, limit)
    size = 0
    try:
        async for piece in _inflated(request, limit) if is_packed else request.content.iter_any():
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            yield piece
    except _BROKEN as error:
        raise _refusal_of(request, error) from None


def _is_packed(request: web.BaseRequest, limit: int) -> bool:
    encoding = _encoding(request)
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise Refused(
            415, f"Content-Encoding must be one of: {ENCODINGS}", "unsupported_encoding",
            headers={"Accept-Encoding": ENCODINGS},
        )
    is_packed = encoding not in ("", "identity")
    if (request.content_length or 0) > limit + PIECE * is_packed:
        raise too_large(limit)
    return is_packed


def _encoding(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Encoding", "identity").strip().lower()


_BROKEN = (zlib.error, web.RequestPayloadError, HttpProcessingError)
"""What may go wrong with a body; ``BodyCutError`` is a payload error, too."""


def _refusal_of(request: web.BaseRequest, error: Exception) -> Refused:
    if isinstance(error, zlib.error):
        return Refused(400, f"the body is not valid {_encoding(request)}", "invalid_encoding")
    if isinstance(error, BodyCutError):
        return _refused(error.problem)
    return Refused(400, "the body ended early or its chunks are broken", "invalid_body")


def too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than {limit} bytes", "too_large")


def _refused(problem: Problem) -> Refused:
    return Refused(problem.status, problem.message, problem.code, problem.details, problem.headers)


async def _read_plain(request: web.BaseRequest, limit: int) -> bytearray:
    body, share = bytearray(), request.get(_SHARE)
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
        if share is not None:
            share.grow(len(chunk))
        if request.content.at_eof():
            break
    return body


async def _read_packed(request: web.BaseRequest, limit: int) -> bytearray:
    body, share = bytearray(), request.get(_SHARE)
    inflater: _Inflater | None = None
    packed = 0
    async for chunk in request.content.iter_any():
        packed += len(chunk)
        if packed > limit + PIECE:  # members that inflate to nothing must end, too
            raise too_large(limit)
        before = len(body)
        inflater = _inflate(chunk, inflater, body, limit)
        if share is not None:
            share.grow(len(body) - before)
    if inflater is not None and not inflater.eof:
        raise zlib.error
    return body


async def _inflated(request: web.BaseRequest, limit: int) -> AsyncIterator[bytes]:
    inflater: _Inflater | None = None
    packed = size = 0
    async for chunk in request.content.iter_any():
        packed += len(chunk)
        if packed > limit + PIECE:
            raise too_large(limit)
        is_drained = True
        while chunk or not is_drained:
            if inflater is None or inflater.eof:
                inflater = _inflater(chunk)
            piece = inflater.decompress(chunk, PIECE)
            size += len(piece)
            if size > LARGE and size > packed * BOMB:
                raise Refused(413, f"the body is packed more than {BOMB} times; send it plain", "too_large")
            if piece:
                yield piece
            chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            is_drained = inflater.eof or len(piece) < PIECE
    if inflater is not None and not inflater.eof:
        raise zlib.error


def _inflate(chunk: bytes, inflater: _Inflater | None, body: bytearray, limit: int) -> _Inflater | None:
    """Inflate a chunk to the end of ``body``; the inflater for the next one. Gzip may have several members."""
    is_drained = True
    while chunk or not is_drained:
        if inflater is None or inflater.eof:
            inflater = _inflater(chunk)
        room = min(PIECE, limit + 1 - len(body))
        piece = inflater.decompress(chunk, room)
        body += piece
        if len(body) > limit:
            raise too_large(limit)
        chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        is_drained = inflater.eof or len(piece) < room  # it may hold output back when all input is consumed
    return inflater


def _inflater(start: bytes) -> _Inflater:
    """By its first byte: gzip, zlib, or the bare deflate that some clients send as ``deflate``."""
    if start[0] == 0x1F:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    return zlib.decompressobj(zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS)


@overload
def decode_json(body: bytes | bytearray | memoryview | str) -> Any: ...
@overload
def decode_json(body: bytes | bytearray | memoryview | str, type: type[T]) -> T: ...
def decode_json(body: bytes | bytearray | memoryview | str, type: Any = Any) -> Any:
    """The value in a body. Raises Refused (400) for whatever is not valid JSON of that type.

    Not valid are also NaN, Infinity, numbers beyond a float's range, lone surrogates, invalid UTF-8 and nesting
    deeper than the interpreter's stack. Integers larger than 64 bits may come through as such.
    """
    try:
        return msgspec.json.decode(body, type=type)
    except RecursionError:
        raise Refused(400, "the JSON is nested too deeply", "invalid_json") from None
    except UnicodeDecodeError:
        raise Refused(400, "the body is not valid UTF-8", "invalid_json") from None
    except msgspec.ValidationError as error:
        raise Refused(400, str(error), "invalid") from None
    except (ValueError, OverflowError) as error:
        raise Refused(400, f"the body is not valid JSON: {error}", "invalid_json") from None


@overload
async def read_json(request: web.BaseRequest, *, limit: int = MAX_BODY) -> Any: ...
@overload
async def read_json(request: web.BaseRequest, type: type[T], *, limit: int = MAX_BODY) -> T: ...
async def read_json(request: web.BaseRequest, type: Any = Any, *, limit: int = MAX_BODY) -> Any:
    """``decode_json`` of ``read_body``. An empty body counts as ``{}``: whether that will do is the type's business."""
    return decode_json(await read_body(request, limit) or b"{}", type)
