"""Large answers go out packed to who asks for it, and to nobody else."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from aiohttp import web

from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal
from clawatch.web.packing import LARGE, accepts_gzip

THINGS = {"things": [f"thing {n}" for n in range(10_000)]}


async def many(request: web.Request, principal: Principal) -> web.Response:
    return reply(THINGS)


async def few(request: web.Request, principal: Principal) -> web.Response:
    return reply({"things": []})


async def picture(request: web.Request, principal: Principal) -> web.Response:
    return web.Response(body=bytes(2 * LARGE), content_type="image/png")


async def made(request: web.Request, principal: Principal) -> web.Response:
    return web.Response(
        body=gzip.compress(bytes(200 * LARGE), 0), content_type="text/css", headers={"Content-Encoding": "gzip"}
    )


@pytest.fixture
async def site(site_with: Any) -> Any:
    handlers = (many, few, picture, made)
    routes = tuple(Route("GET", f"/{one.__name__}", one, None, "", gives=dict) for one in handlers)
    return await site_with(apis=[("things", Api(routes, clawatch_envelope))])


async def ask(site: Any, path: str, accepted: str) -> tuple[Any, bytes]:
    """What really goes over the wire."""
    headers = {"Accept-Encoding": accepted}
    async with site.client.get(site.origin + path, headers=headers, auto_decompress=False) as answer:
        return answer, await answer.read()


async def test_a_large_answer_is_packed_for_who_takes_gzip(site: Any) -> None:
    answer, body = await ask(site, "/many", "gzip, deflate, br")
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert int(answer.headers["Content-Length"]) == len(body) < len(json.dumps(THINGS)) / 4
    assert json.loads(gzip.decompress(body)) == THINGS


@pytest.mark.parametrize(("path", "accepted"), [
    ("/many", "identity"), ("/many", ""), ("/many", "br"), ("/many", "gzip;q=0"), ("/few", "gzip"),
    ("/picture", "gzip"),
])
async def test_other_answers_go_as_they_are(site: Any, path: str, accepted: str) -> None:
    answer, body = await ask(site, path, accepted)
    assert answer.status == 200
    assert "Content-Encoding" not in answer.headers
    assert int(answer.headers["Content-Length"]) == len(body)


async def test_what_is_packed_already_is_not_packed_again(site: Any) -> None:
    _, body = await ask(site, "/made", "gzip")
    assert gzip.decompress(body) == bytes(200 * LARGE)


@pytest.mark.parametrize(("header", "is_accepted"), [
    ("gzip", True), ("br;q=1.0, gzip;q=0.8, *;q=0.1", True), ("GZIP", True), ("gzip;q=0", False),
    ("gzip; q = 0.0", False), ("*", False), ("x-gzip", False), ("", False),
])
def test_gzip_has_to_be_named(header: str, is_accepted: bool) -> None:
    assert accepts_gzip(header) is is_accepted
