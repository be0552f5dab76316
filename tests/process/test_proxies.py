"""Behind the proxies, with the very configurations that docs/operations.md shows."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from clawatch.clock import SystemClock
from clawatch.testing.app import ADMIN_KEY, App, run_app

GUIDE = Path(__file__).parent.parent.parent / "docs" / "operations.md"
NAME = "watch.example.com"
CLIENT = "127.0.0.9"
"""Where requests come from, so that one sees whose address the daemon counts."""


def shown(language: str) -> str:
    """The one block of the guide in this language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(block)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@dataclass
class Certificate:
    chain: Path
    key: Path


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    made = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(made.key),
         "-out", str(made.chain)],
        check=True, capture_output=True,
    )
    return made


def nginx(home: Path, port: int, upstream: str, certificate: Certificate) -> list[str]:
    said = shown("nginx").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    said = said.replace("http://127.0.0.1:8787", upstream)
    said = re.sub(r"(ssl_certificate\s+)[^;]+", rf"\g<1>{certificate.chain}", said)
    said = re.sub(r"(ssl_certificate_key\s+)[^;]+", rf"\g<1>{certificate.key}", said)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{kind}_temp_path {home}/{kind};" for kind in kinds)
    (home / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes 1; pid {home}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}\n{said}\n}}\n"
    )
    return ["nginx", "-e", "stderr", "-p", str(home), "-c", str(home / "nginx.conf")]


def caddy(home: Path, port: int, upstream: str, certificate: Certificate) -> list[str]:
    said = shown("caddyfile").replace("127.0.0.1:8787", upstream.removeprefix("http://"))
    said = said.replace(f"{NAME} {{", f"{NAME}:{port} {{\n    tls {certificate.chain} {certificate.key}", 1)
    options = "{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n}\n"
    (home / "Caddyfile").write_text(options + said)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(home / "Caddyfile")]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def command(request: pytest.FixtureRequest) -> Callable[..., list[str]]:
    found: Callable[..., list[str]] = request.param
    if shutil.which(found.__name__) is None:
        pytest.skip(f"needs {found.__name__} (Debian: nginx-light, caddy)")
    return found


class Here(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        return


@dataclass
class Site:
    """The daemon as it is seen from outside."""

    url: str
    session: aiohttp.ClientSession
    app: App
    logs: Sequence[Any]

    async def ask(self, method: str, path: str, *, key: str | None = "", **request: Any) -> tuple[int, Any, Any]:
        headers = {} if key is None else {"X-ClaWatch-Key": key or self.app.key}
        headers |= request.pop("headers", {})
        async with self.session.request(method, self.url + path, headers=headers, **request) as answer:
            return answer.status, await answer.json(), answer.headers


@pytest.fixture
async def site(
    command: Callable[..., list[str]], certificate: Certificate, tmp_path: Path
) -> AsyncIterator[Site]:
    config = {
        "server": {"port": 0, "public_url": f"https://{NAME}", "trusted_proxies": ["127.0.0.1"]},
        "auth": {"keys": [{"name": "ops", "key": ADMIN_KEY, "scopes": ["admin"]}], "loopback": ["read"]},
    }
    port, home = free_port(), tmp_path / "proxy"
    home.mkdir()
    with structlog.testing.capture_logs() as logs:
        async with (
            run_app(tmp_path, config, SystemClock()) as app,
            running(command(home, port, app.url, certificate), home, port),
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=Here(), local_addr=(CLIENT, 0), ssl=ssl.create_default_context(cafile=certificate.chain)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
        ):
            yield Site(f"https://{NAME}:{port}", session, app, logs)


@asynccontextmanager
async def running(words: list[str], home: Path, port: int) -> AsyncIterator[None]:
    """The proxy as a process, once it takes connections."""
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with (home / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log, env=environment)
    try:
        async with asyncio.timeout(20):
            while not await takes_connections(port):
                assert child.returncode is None, (home / "log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def takes_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_requests_pass_and_each_client_counts_as_itself(site: Site) -> None:
    event = {"agentId": "a", "type": "error", "data": {"error": "boom"}}
    assert (await site.ask("POST", "/api/events", json=event))[0] == 201
    large = io.BytesIO(b"[" + b" " * 3_000_000 + b"]")
    assert (await site.ask("POST", "/api/events", data=large, key=None))[0] == 401
    status, agent, _ = await site.ask("GET", "/api/agents/a")
    assert (status, agent["errorCount"]) == (200, 1)
    refused = [line for line in site.logs if line["event"] == "http.request" and line["status"] == 401]
    assert {line["client"] for line in refused} == {CLIENT}


async def test_what_a_client_says_of_its_own_address_is_not_believed(site: Site) -> None:
    status, _, _ = await site.ask("GET", "/api/agents", key="wrong", headers={"X-Forwarded-For": "203.0.113.7"})
    assert status == 401
    assert [line["client"] for line in site.logs if line.get("status") == 401] == [CLIENT]


async def test_the_grant_for_this_machine_does_not_reach_through(site: Site) -> None:
    assert (await site.ask("GET", "/api/agents", key=None))[0] == 401


async def test_websockets_pass_in_both_directions(site: Site) -> None:
    address = f"{site.url}/ws".replace("https", "wss")
    async with site.session.ws_connect(address, headers={"X-ClaWatch-Key": site.app.key}) as ws:
        await ws.send_json({"type": "subscribe", "topics": ["events"]})
        assert (await ws.receive_json(timeout=5))["type"] == "subscribed"
        await site.ask("POST", "/api/events", json={"agentId": "a", "type": "heartbeat"})
        assert (await ws.receive_json(timeout=5))["data"]["agentId"] == "a"


async def test_a_long_poll_is_answered_when_there_is_something(site: Site) -> None:
    await site.ask("POST", "/api/events", json={"agentId": "a", "type": "heartbeat"})
    waiting = asyncio.create_task(site.ask("GET", "/api/agents/a/commands?wait=20"))
    await site.ask("POST", "/api/agents/a/pause")
    async with asyncio.timeout(10):
        status, body, _ = await waiting
    assert (status, [one["type"] for one in body["commands"]]) == (200, ["pause"])


async def test_a_login_is_for_https_alone_and_lets_the_page_act(site: Site) -> None:
    link = await site.app.daemon.access.issue_login(60_000)
    assert link.startswith(f"https://{NAME}/login#")
    code = {"code": link.rpartition("#")[2]}
    page = {"Origin": f"https://{NAME}"}
    status, _, headers = await site.ask("POST", "/api/auth/login", json=code, key=None, headers=page)
    assert (status, "Secure" in headers["Set-Cookie"]) == (200, True)
    mine = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    await site.ask("POST", "/api/events", json={"agentId": "a", "type": "heartbeat"})
    assert (await site.ask("POST", "/api/agents/a/pause", key=None, headers=mine | page))[0] == 200
    elsewhere = mine | {"Origin": "https://evil.example"}
    assert (await site.ask("POST", "/api/agents/a/resume", key=None, headers=elsewhere))[0] == 403
