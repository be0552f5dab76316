"""Bodies over real sockets: limits, inflation, and whatever is not JSON."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis import bodies
from clawatch.apis.bodies import decode_json, read_body, read_json
from clawatch.apis.envelopes import Refused, clawatch_envelope

LIMIT = 100_000
Send = Callable[..., Awaitable[tuple[int, Any]]]


class Point(msgspec.Struct):
    x: int
    y: float = 0.0


async def _answer(work: Awaitable[Any]) -> web.Response:
    try:
        return web.json_response(await work)
    except Refused as refusal:
        return clawatch_envelope(refusal.problem)


async def _size(request: web.Request) -> web.Response:
    async def size() -> int:
        return len(await read_body(request, LIMIT))

    return await _answer(size())


async def _json(request: web.Request) -> web.Response:
    return await _answer(read_json(request, limit=LIMIT))


@pytest.fixture
async def send() -> AsyncIterator[Send]:
    """POSTs a body to a server that reads it; gives status and answer."""
    app = web.Application()
    app.router.add_post("/size", _size)
    app.router.add_post("/json", _json)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with ClientSession() as client:

        async def post(path: str, body: Any, encoding: str | None = None, **headers: str) -> tuple[int, Any]:
            if encoding is not None:
                headers["Content-Encoding"] = encoding
            async with client.post(server.make_url(path), data=body, headers=headers) as answer:
                return answer.status, await answer.json()

        yield post
    await server.close()


def deflate(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


PACKINGS = [
    pytest.param(None, lambda data: data, id="plain"),
    pytest.param("identity", lambda data: data, id="identity"),
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("X-GZIP", gzip.compress, id="x-gzip"),
    pytest.param("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]), id="two members"),
    pytest.param("deflate", lambda data: deflate(data, 15), id="zlib"),
    pytest.param("deflate", lambda data: deflate(data, -15), id="bare deflate"),
]


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
@pytest.mark.parametrize("size", [0, 1, 65_536, LIMIT - 1, LIMIT])
async def test_a_body_up_to_the_limit_is_read_however_it_is_packed(
    send: Send, encoding: str | None, pack: Callable[[bytes], bytes], size: int
) -> None:
    assert await send("/size", pack(b"a" * size), encoding) == (200, size)


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
async def test_one_byte_more_is_413(send: Send, encoding: str | None, pack: Callable[[bytes], bytes]) -> None:
    status, answer = await send("/size", pack(b"a" * (LIMIT + 1)), encoding)
    assert (status, answer) == (413, {"error": f"the body is larger than {LIMIT} bytes"})


async def test_a_chunked_body_is_counted_as_it_comes(send: Send) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1000 + 1):
            yield b"x" * 1000

    assert (await send("/size", chunks()))[0] == 413


async def test_a_bomb_costs_no_more_than_the_limit(send: Send) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    tracemalloc.start()
    try:
        assert (await send("/size", bomb, "gzip"))[0] == 413
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


async def test_members_that_inflate_to_nothing_come_to_an_end(send: Send) -> None:
    assert (await send("/size", gzip.compress(b"") * 20_000, "gzip"))[0] == 413


BROKEN = {
    "not gzip": b"not gzip",
    "cut short": gzip.compress(b"hello")[:-5],
    "more behind it": gzip.compress(b"hello") + b"rubbish",
    "a head alone": b"\x1f\x8b",
    "a wrong checksum": gzip.compress(b"hello")[:-8] + b"\0" * 8,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_gzip_is_400(send: Send, body: bytes) -> None:
    assert await send("/size", body, "gzip") == (400, {"error": "the body is not valid gzip"})


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip", "rubbish"])
async def test_another_encoding_is_415_naming_ours(send: Send, encoding: str) -> None:
    status, answer = await send("/size", b"x", encoding)
    assert (status, answer["error"]) == (415, "Content-Encoding must be one of: gzip, deflate")


async def test_an_empty_body_counts_as_an_empty_object(send: Send) -> None:
    assert await send("/json", b"", **{"Content-Type": "application/json"}) == (200, {})


NOT_JSON = [
    b"{", b"{'a':1}", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"[-1e999]", b'"\\ud800"', b'"\\ud800 and more"',
    b'["\\udc00\\udc00"]', b'"\xff"', b"\xff", b'"\xed\xa0\x80"', b"9" * 5_000, b"[" * 100_000, b'{"a":' * 15_000,
    b"\xef\xbb\xbf{}", b"{} {}", b"nul", b"\x00",
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
async def test_what_is_not_json_is_400_with_a_reason(send: Send, body: bytes) -> None:
    """CW-24"""
    status, answer = await send("/json", body)
    assert status == 400
    assert isinstance(answer["error"], str)


def test_a_typed_body_names_what_is_wrong_and_where() -> None:
    with pytest.raises(Refused, match=r"Expected `int`, got `str` - at `\$\.x`") as refusal:
        decode_json(b'{"x": "1"}', Point)
    assert refusal.value.problem.status == 400
    assert decode_json(b'{"x": 1, "z": 2}', Point) == Point(1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_more_than_be_refused(body: bytes) -> None:
    try:
        value = decode_json(body)
    except Refused as refusal:
        assert refusal.problem.status == 400
    else:
        json.dumps(value, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=100) | st.integers(0, 2_000).map(lambda size: b"a" * size),
    st.sampled_from([31, 15, -15]), st.integers(1, 20), st.integers(1, 300), st.integers(0, 2_000),
)
def test_inflation_does_not_depend_on_where_chunks_or_pieces_end(
    data: bytes, wbits: int, step: int, piece: int, limit: int
) -> None:
    packed, body, inflater = deflate(data, wbits), bytearray(), None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "PIECE", piece)
        try:
            for start in range(0, len(packed), step):
                inflater = bodies._inflate(packed[start : start + step], inflater, body, limit)
        except Refused:
            assert len(data) > limit
            assert len(body) == limit + 1
        else:
            assert bytes(body) == data
            assert inflater is not None
            assert inflater.eof
