"""The dashboard in a real browser, before a real daemon."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from clawatch.clock import SystemClock
from clawatch.domain.time import MINUTE
from clawatch.testing.app import App, run_app

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)
AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
STATIC = Path(__file__).parents[2] / "plugins" / "clawatch_plugins" / "dashboard" / "static"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = _lacking()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))  # one after another: each fills a core
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


def _lacking() -> str:
    if CHROMIUM is None:
        return "needs Chromium: apt-get install chromium"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "needs the Python package playwright"
    if not (STATIC / "index.html").is_file():
        return "the dashboard is not built: make dashboard"
    return ""


@dataclass
class Site:
    """A daemon that can go away and come back on its port, with what it holds."""

    home: Path
    port: int
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    app: App | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> App:
        assert self.app is not None
        return self.app

    async def start(self) -> None:
        config = {
            "server": {"port": self.port}, "storage": {"use": "sqlite"}, "rules": {"stuck": {"after": "1h"}},
            "agents": [{"match": "limited", "rules": {"cost": {"limits": [{"per": "day", "usd": 2}]}}}],
        }  # fmt: skip
        self.app = await self.stack.enter_async_context(run_app(self.home, config, SystemClock()))

    async def stop(self) -> None:
        self.app = None
        await self.stack.aclose()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-ClaWatch-Key": self.running.key}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self.url + path, json=body) as answer,
        ):
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def report(self, agent: str, kind: str = "heartbeat", **data: Any) -> None:
        await self.ask("POST", "/api/events", {"agentId": agent, "type": kind, "data": data})

    async def alert(self, agent: str = "noisy") -> str:
        """Four errors in a minute; the id of the alert that they raise."""
        for number in range(4):
            await self.report(agent, "error", message=f"it broke: {number}")
        async with asyncio.timeout(10):
            while not (alerts := (await self.ask("GET", "/api/alerts?state=firing"))["alerts"]):
                await asyncio.sleep(0.02)
        return str(alerts[0]["id"])

    async def login_link(self) -> str:
        return str(await self.running.daemon.access.issue_login(MINUTE))


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = Site(tmp_path, port)
    await site.start()
    yield site
    await site.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    environ = {**os.environ, "HOME": str(tmp_path_factory.mktemp("chromium"))}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, env=environ)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(site: Site, browser: Any) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Log in by a one-time link and open an address. What the page says on its console fails the test at the end."""
    complaints: list[str] = []
    contexts: list[Any] = []

    async def open_page(path: str = "/", width: int = 1280, height: int = 800, **wanted: Any) -> Any:
        context = await browser.new_context(viewport={"width": width, "height": height}, **wanted)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: _note_foreign(request.url, site.url, complaints))
        await page.goto(await site.login_link())
        await page.wait_for_url(site.url + "/")
        if path != "/":
            await page.goto(site.url + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []


def _is_complaint(said: Any) -> bool:
    """A server that is away, and a login that is none, are what tests are about."""
    expected = "ERR_CONNECTION" in said.text or "401 (Unauthorized)" in said.text
    return said.type in ("error", "warning") and not expected


def _note_foreign(url: str, own: str, complaints: list[str]) -> None:
    if not url.startswith((own, own.replace("http", "ws"), "blob:", "data:")):
        complaints.append(f"asked another host: {url}")


@pytest.fixture
def width_of() -> Callable[[Any], Awaitable[tuple[int, int]]]:
    """How wide a page is, and how much of it can be seen."""

    async def measure(page: Any) -> tuple[int, int]:
        wide, seen = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        return wide, seen

    return measure


@pytest.fixture
def violations_of() -> Callable[[Any], Awaitable[list[str]]]:
    """What axe finds wrong with a page, which must have been opened with ``bypass_csp``."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: make check")

    async def look(page: Any) -> list[str]:
        await page.evaluate(AXE.read_text())
        said = (await page.evaluate("axe.run()"))["violations"]
        return [f"{one['impact']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in said]

    return look
