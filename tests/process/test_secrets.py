"""No key, token, cookie or code is to be found in anything that is written: every secret there is is used, rightly and
wrongly, and then all that the daemon has left behind or shows to anybody is searched for it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from clawatch.testing.telegram import BotApi

CHAT = 77
HOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of the webhook's own!!!").decode()
BEAT = "b8f1c2d7-heartbeat-of-ours-0a9e5d"


@dataclass
class Secrets:
    """Every secret that is in use, by what it is."""

    known: dict[str, str] = field(default_factory=dict)

    def found_in(self, where: str, written: bytes) -> Iterator[str]:
        """Also packed for a URL or in base64, and of a signed token the signature alone."""
        for what, secret in self.known.items():
            essence = secret.rpartition(".")[2].rpartition(":")[2].encode()
            for form in {secret.encode(), quote(secret, safe="").encode(), essence, base64.b64encode(essence)[:-4]}:
                if form in written:
                    yield f"the {what} is in {where}: …{excerpt(written, form)}…"


def excerpt(written: bytes, form: bytes) -> str:
    at = written.index(form)
    return repr(written[max(0, at - 120) : at + 20])


async def clawatch(launcher: Any, *words: str) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "CLAWATCH_CONFIG": str(launcher.home / "config.yaml"), "CLAWATCH_KEY": launcher.key},
    )
    out, _ = await child.communicate()
    return out


@dataclass
class Outside:
    """Who hears from the daemon: what they were sent, but for the headers that prove who sends it."""

    url: str
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    heard = Outside("")

    async def take(request: web.Request) -> web.Response:
        heard.bodies.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield heard
    await runner.cleanup()


async def test_no_secret_is_found_in_anything_that_is_written_or_shown(
    launcher: Any, outside: Outside, until: Any, tmp_path: Path
) -> None:
    async with BotApi() as api:
        daemon = await launcher.start({
            "server": {"port": 0, "cors_origins": ["https://pages.example"]},
            "limits": {"rest": None, "login": None},
            "notifiers": {
                "telegram": {"bot_token": api.token, "chats": [CHAT], "api_url": api.url},
                "hook": {"use": "webhook", "url": f"{outside.url}/hook", "secret": HOOK_SECRET},
            },
            "sources": {"heartbeat": {"url": f"{outside.url}/{BEAT}", "every": "10s"}},
        })
        secrets = Secrets({"operator's key": daemon.key, "bot token": api.token, "webhook secret": HOOK_SECRET,
                           "heartbeat's path": BEAT})
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            caller = Caller(session, daemon, secrets)
            await caller.use_all(launcher)
            await caller.log_in(daemon.said)
            await caller.log_in_by_telegram(api)
            await caller.misuse_all()
            await raise_alerts(caller, daemon, until, outside)
            shown = await caller.everything_shown()
        shown |= {"doctor": await clawatch(launcher, "doctor"), "status": await clawatch(launcher, "status", "--json"),
                  "keys list": await clawatch(launcher, "keys", "list", "--json")}
        await clawatch(launcher, "backup", str(tmp_path / "backup.db"))
        written = {str(path): path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        assert any(path.endswith("-wal") for path in written), "the log of the database is looked at too"
        code = await daemon.stop()
        written |= {str(path): path.read_bytes() for path in tmp_path.rglob("*")
                    if path.is_file() and path.name != "config.yaml"}
        said = [call for call in api.calls if "/login#" not in call.text]
        told = {"webhooks": b"\n".join(outside.bodies), "messages": repr([call.data for call in said]).encode()}
    assert code == 0
    assert len(written) > 4 and len(secrets.known) >= 9 and outside.bodies
    found = [one for where, what in (written | shown | told).items() for one in secrets.found_in(where, what)]
    assert not found, "\n".join(found)


async def raise_alerts(caller: Caller, daemon: Any, until: Any, outside: Outside) -> None:
    """Alerts about the agents that told secrets, so that these would be told on."""
    for text in caller.secrets.known.values():
        for _ in range(4):
            await caller.say(f"http {quote(text)} failed: key {text} refused", agent="leaky")

    async def is_told() -> bool:
        return b"leaky" in b"".join(outside.bodies)

    await until(is_told)


@dataclass
class Caller:
    session: aiohttp.ClientSession
    daemon: Any
    secrets: Secrets

    async def ask(self, method: str, path: str, **request: Any) -> tuple[int, bytes, Any]:
        async with self.session.request(method, self.daemon.url + path, **request) as answer:
            return answer.status, await answer.read(), answer.headers

    async def say(self, error: str, agent: str) -> None:
        body = {"agentId": agent, "type": "error", "data": {"error": error}}
        status, _, _ = await self.ask("POST", "/api/events", json=body, headers=self._mine())
        assert status == 201

    def _mine(self) -> dict[str, str]:
        return {"X-ClaWatch-Key": self.daemon.key}

    async def use_all(self, launcher: Any) -> None:
        """A key made by each way, a token for one, and the WebSocket's ways to say it."""
        _, body, _ = await self.ask("POST", "/api/keys", headers=self._mine(),
                                    json={"name": "made", "scopes": ["read", "ingest"]})
        self.secrets.known["key made by the API"] = key = json.loads(body)["key"]
        said = await clawatch(launcher, "keys", "create", "--name", "cli", "--scope", "read")
        self.secrets.known["key made by the command line"] = said.decode().strip()
        _, body, _ = await self.ask("POST", "/api/auth/token", headers={"Authorization": f"Bearer {key}"})
        self.secrets.known["access token"] = token = json.loads(body)["access_token"]
        for secret in (key, token, self.daemon.key):
            assert (await self.ask("GET", "/api/agents", headers={"Authorization": f"Bearer {secret}"}))[0] == 200
            async with self.session.ws_connect(f"{self.daemon.url}/ws?token={secret}") as ws:
                await ws.send_json({"type": "ping"})
                assert (await ws.receive_json(timeout=5))["type"] == "pong"
            async with self.session.ws_connect(f"{self.daemon.url}/ws") as ws:
                await ws.send_json({"type": "auth", "token": secret})
                await ws.send_json({"type": "ping"})
                assert (await ws.receive_json(timeout=5))["type"] == "pong"

    async def log_in(self, said: list[str]) -> None:
        code = next(match[1] for line in said if (match := re.search(r"login#(\S+)", line)))
        self.secrets.known["login code"] = code
        status, _, headers = await self.ask("POST", "/api/auth/login", json={"code": code},
                                            headers={"Origin": self.daemon.url})
        assert status == 200
        name, value = headers["Set-Cookie"].split(";")[0].split("=", 1)
        self.secrets.known["cookie"] = value
        assert (await self.ask("GET", "/api/agents", headers={"Cookie": f"{name}={value}"}))[0] == 200

    async def log_in_by_telegram(self, api: BotApi) -> None:
        await api.say("/login", CHAT, CHAT)
        await api.until(lambda: "login#" in api.last(CHAT).text if api.shown else False)
        found = re.search(r"login#([\w-]+)", api.last(CHAT).text + str(api.last(CHAT).labels) + repr(api.calls[-5:]))
        assert found is not None
        self.secrets.known["login code by Telegram"] = found[1]

    async def misuse_all(self) -> None:
        """Each secret where it does not belong; whether that is taken or refused is all the same."""
        for secret in list(self.secrets.known.values()):
            for path in wrong_addresses(secret):
                await self.ask("GET", path, headers=self._mine())
                await self.ask("POST", path, json={}, headers=self._mine())
            for headers in wrong_headers(secret):
                await self.ask("GET", "/api/agents", headers=headers)
            for path in ("/api/events", "/hooks/claude-code", "/v1/logs", "/api/silences", "/api/keys",
                         "/api/auth/login", "/api/agents/plain/pause", "/api/commands/none/result"):
                for body in wrong_bodies(secret):
                    headers = {**self._mine(), "Content-Type": "application/json"}
                    await self.ask("POST", path, data=body, headers=headers)
            await self.misuse_sockets(secret)
            self._send_noise(secret)

    async def misuse_sockets(self, secret: str) -> None:
        for said in (secret, json.dumps({"type": secret, "token": secret}), json.dumps(
                {"type": "subscribe", "cursor": secret, "agents": [secret], "topics": [secret]})):
            with suppress(aiohttp.ClientError):
                async with self.session.ws_connect(f"{self.daemon.url}/ws", headers=self._mine()) as ws:
                    await ws.send_str(said)
                    await ws.receive(timeout=5)

    def _send_noise(self, secret: str) -> None:
        """What is not even HTTP."""
        import socket

        with socket.create_connection(("127.0.0.1", int(self.daemon.url.rpartition(":")[2])), timeout=5) as sock:
            sock.sendall(f"{secret} / {secret}\r\n{secret}\r\n\r\n".encode())
            with suppress(OSError):
                sock.recv(4096)

    async def everything_shown(self) -> dict[str, bytes]:
        """Every page and list, as an administrator sees it."""
        shown: dict[str, bytes] = {}
        paths = ["/", "/login", "/api/agents?all=1", "/api/agents/plain", "/api/events?limit=1000", "/api/alerts",
                 "/api/silences", "/api/commands", "/api/runs", "/api/costs", "/api/costs/series?by=agent", "/api/keys",
                 "/api/system", "/metrics", "/health", "/livez", "/readyz", "/api/openapi.json"]
        for path in paths:
            status, body, headers = await self.ask("GET", path, headers=self._mine())
            assert status == 200, (path, body)
            shown[path] = body + repr(headers).encode()
        for alert in json.loads(shown["/api/alerts"].partition(b"<CIMulti")[0])["alerts"]:
            shown[alert["id"]] = (await self.ask("GET", f"/api/alerts/{alert['id']}", headers=self._mine()))[1]
        return shown


def wrong_addresses(secret: str) -> list[str]:
    there = quote(secret, safe="")
    return [
        f"/{there}", f"/api/agents/{there}", f"/api/agents/{there}/pause", f"/api/alerts/{there}", f"/login/{there}",
        f"/api/agents?token={there}", f"/api/agents?key={there}&q={there}", f"/api/agents?status={there}",
        f"/api/events?agentId={there}&cursor={there}&limit={there}", f"/api/costs?from={there}", f"/ws?token={there}",
        f"/hooks/claude-code?agent={there}", f"/{there}/v1/logs", f"/api/notifiers/{there}/test",
    ]


def wrong_headers(secret: str) -> list[dict[str, str]]:
    return [
        {"Authorization": f"Basic {secret}"}, {"Authorization": secret}, {"Authorization": f"Bearer {secret}x"},
        {"X-ClaWatch-Key": f"{secret} {secret}"}, {"User-Agent": secret, "Referer": f"http://x/{secret}"},
        {"X-Forwarded-For": secret}, {"Host": f"{secret[:30]}.example"}, {"Origin": f"http://{secret}"},
        {"Content-Encoding": secret}, {"Cookie": f"clawatch={secret}; token={secret}"}, {"Accept": secret},
    ]


def wrong_bodies(secret: str) -> list[bytes]:
    texts: dict[str, Any] = {
        "message": f"the key is {secret}", "error": f"login#{secret} token={secret}", "toolName": "curl",
        "arguments": {"command": f"curl -H 'X-ClaWatch-Key: {secret}' http://x", "env": {"CLAWATCH_KEY": secret},
                      "url": f"http://api/bot{secret}/getMe"},
        "result": [f"Authorization: Bearer {secret}"], "model": secret, "status": secret, "x_token": secret,
    }
    event = {"agentId": "plain", "type": "tool_call", "agentName": secret, "host": secret, "group": secret,
             "labels": {"token": secret}, "capabilities": [secret], "id": secret, "sessionId": secret,
             "callId": secret, "data": texts}
    return [json.dumps(body).encode() for body in (
        event, {**event, "agentId": secret}, {**event, "type": secret}, {**event, "timestamp": secret},
        {"agentId": "plain", "type": "run", "data": {"runId": secret, "input": {"api_key": secret}, "error": secret}},
        {"code": secret}, {"code": secret, secret: secret}, secret, [secret],
        {"name": "k", "scopes": [secret], "user": secret, "expires": secret},
        {"name": "k", "scopes": ["read"], "user": secret}, {"name": "k", "scopes": ["read"], "agents": [secret]},
        {"name": secret, "scopes": ["read"]},
        {"duration": "1h", "reason": f"because of {secret}", "agent": secret, "rule": secret},
        {"duration": secret}, {"state": secret, "message": secret},
        {"hook_event_name": "PreToolUse", "session_id": secret, "tool_name": "Bash",
         "tool_input": {"command": f"export API_KEY={secret}"}, "prompt": secret, "cwd": f"/home/{secret}"},
    )] + [f'{{"agentId": "{secret}", broken {secret}'.encode(), secret.encode(), b"\xff" + secret.encode()]
