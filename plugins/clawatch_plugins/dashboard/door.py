"""Its routes: one page for every address that it knows, and the files it is made of. All open: none holds data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.routes import Api, Handler, Param, Route
from clawatch.domain.access import Principal
from clawatch.ports import NotFound
from clawatch_plugins.dashboard.files import File, Page, file_of

STATIC = Path(__file__).parent / "static"
"""Where the build leaves the page."""
ADDRESSES = (
    "/", "/agents/{id:.+}", "/alerts", "/alerts/{id}", "/runs", "/runs/{id:.+}", "/recordings", "/recordings/{id}",
    "/costs", "/system",
)  # fmt: skip
"""Each opens the same page, which reads the address."""
FOREVER = "public, max-age=31536000, immutable"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
NOT_BUILT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>ClaWatch</title>
</head>
<body>
<h1>ClaWatch is running, without its dashboard</h1>
<p>The page was left out when ClaWatch was installed. In its source folder, <code>make dashboard</code> builds it;
it needs the network once. Start ClaWatch again afterwards.</p>
<p>Everything else works: the <a href="/api/agents">agents</a>, the <a href="/api/alerts">alerts</a>,
the <a href="/api/openapi.json">API's description</a>, its own <a href="/health">health</a>.</p>
</body>
</html>
"""


def api_of(page: Page | None) -> Api:
    """``page``: None when it has not been built."""
    index = file_of("text/html; charset=utf-8", NOT_BUILT.encode()) if page is None else page.index
    serve = serve_index(index)
    routes = [Route("GET", path, serve, None, "The dashboard.", params=_params(path)) for path in ADDRESSES]
    assets = {} if page is None else page.assets
    name = Param("name", "path", str, "with its hash")
    routes.append(
        Route("GET", "/assets/{name}", serve_assets(assets), None, "A file of the dashboard's.", params=(name,))
    )
    return Api(tuple(routes), clawatch_envelope, ("/assets",))


def _params(path: str) -> tuple[Param, ...]:
    return (Param("id", "path"),) if "{id" in path else ()


def serve_index(index: File) -> Handler:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY}

    async def serve(request: web.Request, principal: Principal) -> web.Response:
        return _answer(request, index, headers)

    return serve


def serve_assets(assets: Mapping[str, File]) -> Handler:
    async def serve(request: web.Request, principal: Principal) -> web.Response:
        file = assets.get(request.match_info["name"])
        if file is None:
            raise NotFound("no such file; reload the page")
        headers = {"Cache-Control": FOREVER, "ETag": file.tag, "Content-Security-Policy": "default-src 'none'"}
        if request.headers.get("If-None-Match") == file.tag:
            return web.Response(status=304, headers=headers)
        return _answer(request, file, headers)

    return serve


def _answer(request: web.Request, file: File, headers: dict[str, str]) -> web.Response:
    headers = {"Content-Type": file.type, "Vary": "Accept-Encoding", **headers}
    if file.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=file.body, headers=headers)
