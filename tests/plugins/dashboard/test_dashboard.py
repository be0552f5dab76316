"""The page as it is served: what it may do, how long it is kept, and what stands there when it was not built."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from clawatch_plugins.dashboard.door import ADDRESSES, api_of
from clawatch_plugins.dashboard.files import read_page

from clawatch.apis.routes import ANYONE
from clawatch.ports import NotFound

SCRIPT = "console.log('x');" * 200


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><script type=module src=/assets/a-1.js></script>")
    (tmp_path / "assets" / "a-1.js").write_text(SCRIPT)
    (tmp_path / "assets" / "a-1.js.map").write_text("{}")
    return tmp_path


async def serving(folder: Path) -> AsyncIterator[Any]:
    api = api_of(read_page(folder))
    app = web.Application()
    for route in api.routes:

        async def handle(request: web.Request, route: Any = route) -> web.StreamResponse:
            try:
                return await route.handler(request, ANYONE)
            except NotFound as error:
                raise web.HTTPNotFound(text=str(error)) from None

        app.router.add_get(route.path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}", auto_decompress=False) as session:
        yield session
    await runner.cleanup()


@pytest.fixture
async def site(built: Path) -> AsyncIterator[Any]:
    async for session in serving(built):
        yield session


@pytest.fixture
async def unbuilt(tmp_path: Path) -> AsyncIterator[Any]:
    async for session in serving(tmp_path / "nothing"):
        yield session


async def test_every_address_opens_the_page_and_nobody_keeps_it(site: Any) -> None:
    pages = ("/runs", "/runs/a%2Fb", "/recordings", "/recordings/1", "/costs", "/system")
    for path in ("/", "/agents/a%2Fb", "/agents/a/b", "/alerts", "/alerts/alert_1", *pages):
        answer = await site.get(path)
        assert answer.status == 200, path
        assert answer.content_type == "text/html"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_page_runs_its_own_files_only(site: Any) -> None:
    policy = (await site.get("/")).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


async def test_files_are_kept_for_good_and_come_compressed_to_who_can(site: Any) -> None:
    packed = await site.get("/assets/a-1.js", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in packed.headers["Cache-Control"]
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(await packed.read()).decode() == SCRIPT
    plain = await site.get("/assets/a-1.js", headers={"Accept-Encoding": "identity"})
    assert await plain.text() == SCRIPT
    again = await site.get("/assets/a-1.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize("name", ["a-1.js.map", "nothing.js", "..%2Findex.html", "%2e%2e%2f__init__.py"])
async def test_nothing_but_the_page_s_own_files_is_served(site: Any, name: str) -> None:
    assert (await site.get(f"/assets/{name}")).status == 404


async def test_without_a_built_page_it_says_how_to_build_it(unbuilt: Any) -> None:
    for path in ("/", "/alerts/alert_1"):
        answer = await unbuilt.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.status == 200
        assert "make dashboard" in await answer.text()


def test_no_address_is_open_that_holds_data() -> None:
    api = api_of(None)
    assert {route.path for route in api.routes} == {*ADDRESSES, "/assets/{name}"}
    assert all(route.method == "GET" and route.scope is None for route in api.routes)
