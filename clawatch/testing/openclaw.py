"""A stand-in for OpenClaw's gateway on a real loopback port, after its documented protocol (versions 3 and 4).

It challenges, checks the device's signature, and keeps sessions whose runs a test begins and ends. What aborts do to
them, which methods there are and what they refuse is up to the test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

METHODS = (
    "health", "sessions.list", "sessions.subscribe", "sessions.abort", "chat.abort", "chat.send", "sessions.patch",
    "tasks.list", "tasks.cancel", "sessions.processes.list", "sessions.processes.stop",
)
NONCE = "c9a1-challenge"
STARTED_AT = 1_782_896_400_000


@dataclass
class Session:
    key: str
    session_id: str
    agent_id: str = "main"
    run_id: str | None = None
    """Of the run that is under way."""
    parent: str | None = None
    is_archived: bool = False
    yields_to: str = "sessions.abort"
    """The method that ends its runs; those before it are accepted and do nothing."""

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "key": self.key, "sessionId": self.session_id, "agentId": self.agent_id, "kind": "direct",
            "status": "running" if self.run_id else "done", "hasActiveRun": self.run_id is not None,
            "activeRunIds": [self.run_id] if self.run_id else [], "updatedAt": STARTED_AT,
        }
        return row | ({"spawnedBy": self.parent} if self.parent else {})


class Refusal(Exception):
    """What a method answers instead of its payload."""

    def __init__(self, code: str, message: str = "", /, **details: Any) -> None:
        super().__init__(message or code)
        self.error = {"code": code, "message": message or code, "details": details}


@dataclass
class StandInGateway:
    token: str = "gateway-token"
    protocol: int = 4
    approved: bool = True
    """Whether a device that asks is let in; else it has to be approved first."""
    scopes: tuple[str, ...] = ("operator.read", "operator.write")
    methods: tuple[str, ...] = METHODS
    tick_ms: int = 15_000
    is_mute: bool = False
    """Takes connections and never says anything, as a gateway does whose event loop hangs."""
    uptime_ms: int = 60_000
    sessions: dict[str, Session] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """By method."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    connects: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)
    _seq: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StandInGateway]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def start(self) -> None:
        """Listen; after a ``stop`` on the same port again."""
        app = web.Application()
        app.router.add_get("/", self._serve)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/startupz", self._startup)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.SERVICE_RESTART)
        if self._runner is not None:
            await self._runner.cleanup()

    # -- what a test does and sees

    def add(self, key: str, session_id: str, **told: Any) -> Session:
        session = self.sessions[key] = Session(key=key, session_id=session_id, **told)
        return session

    async def begin(self, key: str, run_id: str = "run-1", at: int = STARTED_AT) -> None:
        """A run begins, as whoever speaks to the agent makes it begin."""
        session = self.sessions[key]
        session.run_id = run_id
        await self._lifecycle(session, run_id, "start", at)

    async def end(self, key: str, at: int = STARTED_AT, **data: Any) -> None:
        session = self.sessions[key]
        run_id, session.run_id = session.run_id or "run-1", None
        await self._lifecycle(session, run_id, "end", at, **data)

    async def tool(self, key: str, phase: str, call_id: str, at: int = STARTED_AT, **data: Any) -> None:
        session = self.sessions[key]
        await self.tell("session.tool", {
            "runId": session.run_id or "run-1", "seq": 1, "stream": "tool", "ts": at, "sessionKey": key,
            "agentId": session.agent_id, "isHeartbeat": False, "data": {"phase": phase, "toolCallId": call_id, **data},
        })

    async def message(self, key: str, entry: dict[str, Any]) -> None:
        """A transcript's entry, as subscribers hear of it."""
        session = self.sessions[key]
        await self.tell("session.message", {
            "sessionKey": key, "agentId": session.agent_id, "message": entry["message"], "messageId": entry["id"],
            "session": session.row(), "hasActiveRun": session.run_id is not None,
        })

    async def tell(self, event: str, payload: dict[str, Any], skip: int = 0) -> None:
        """Send an event to everybody; ``skip`` of the numbers before it get lost."""
        self._seq += 1 + skip
        frame = json.dumps({"type": "event", "event": event, "payload": payload, "seq": self._seq})
        for socket in list(self._sockets):
            await socket.send_str(frame)

    async def wait_for(self, condition: Callable[[], Any], within: float = 10.0) -> Any:
        """The condition's value as soon as it is true of the calls that came in."""
        async with asyncio.timeout(within), self._changed:
            return await self._changed.wait_for(condition)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    async def _lifecycle(self, session: Session, run_id: str, phase: str, at: int, **data: Any) -> None:
        await self.tell("agent", {
            "runId": run_id, "seq": 1, "stream": "lifecycle", "ts": at, "sessionKey": session.key,
            "agentId": session.agent_id, "data": {"phase": phase, **data},
        })
        await self.tell("sessions.changed", {"sessionKey": session.key, "phase": phase, "ts": at, **session.row()})

    # -- the protocol

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "status": "live"})

    async def _startup(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "version": "2026.9.4", "uptimeMs": self.uptime_ms})

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.is_mute:
            await socket.receive()
            return socket
        challenge = {"nonce": NONCE, "ts": STARTED_AT}
        await socket.send_json({"type": "event", "event": "connect.challenge", "payload": challenge})
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not await self._answer(socket, json.loads(message.data)):
                    break
        finally:
            self._sockets.discard(socket)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> bool:
        method, params = frame["method"], frame["params"]
        is_in = socket in self._sockets
        try:
            if not is_in and method != "connect":
                raise Refusal("INVALID_REQUEST", "the first request must be connect")  # noqa: TRY301
            payload = self._connect(params) if method == "connect" else await self._call(method, params)
        except Refusal as refusal:
            await socket.send_json({"type": "res", "id": frame["id"], "ok": False, "error": refusal.error})
            return is_in
        if method == "connect":
            self._sockets.add(socket)
        await socket.send_json({"type": "res", "id": frame["id"], "ok": True, "payload": payload})
        await self._note()
        return True

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _connect(self, params: dict[str, Any]) -> dict[str, Any]:
        self.connects.append(params)
        if not params["minProtocol"] <= self.protocol <= params["maxProtocol"]:
            raise Refusal("INVALID_REQUEST", "protocol mismatch", expectedProtocol=self.protocol)
        device, auth = params["device"], params["auth"]
        if auth.get("token") not in (self.token, f"device-{device['id'][:8]}"):
            raise Refusal("UNAUTHORIZED", "unauthorized: gateway token mismatch")
        _check_device(device, params)
        if not self.approved:
            raise Refusal("NOT_PAIRED", "pairing required", code="PAIRING_REQUIRED", requestId="req-7")
        return {
            "type": "hello-ok", "protocol": self.protocol, "server": {"version": "2026.9.4", "connId": "c1"},
            "features": {"methods": list(self.methods), "events": ["agent", "sessions.changed", "session.tool"]},
            "snapshot": {},
            "auth": {"role": "operator", "scopes": list(self.scopes), "deviceToken": f"device-{device['id'][:8]}"},
            "policy": {"maxPayload": 26_214_400, "tickIntervalMs": self.tick_ms},
        }

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((method, params))
        if method in self.refusals:
            await self._note()
            raise self.refusals[method]
        if method not in self.methods:
            raise Refusal("INVALID_REQUEST", f"unknown method: {method}")
        session = self.sessions.get(params.get("key") or params.get("sessionKey") or "")
        if method == "sessions.list":
            rows = [session.row() for session in self.sessions.values() if not session.is_archived]
            return {"sessions": rows, "count": len(rows)}
        if session is None or method.endswith(".list"):
            return {"ok": True}
        if method == "sessions.patch" and params.get("archived"):
            session.is_archived = session.yields_to != "nothing"
        is_aborted = method == session.yields_to and session.run_id is not None
        if is_aborted:
            asyncio.get_running_loop().create_task(self.end(session.key, aborted=True))
        return {"ok": True, "status": "aborted" if is_aborted else "no-active-run"}


def _check_device(device: dict[str, Any], params: dict[str, Any]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = _decode(device["publicKey"])
    client, scopes = params["client"], ",".join(params["scopes"])
    signed = "|".join((
        "v3", device["id"], client["id"], client["mode"], params["role"], scopes, str(device["signedAt"]),
        params["auth"].get("token", ""), device["nonce"], client["platform"].lower(), "",
    ))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(_decode(device["signature"]), signed.encode())
    except InvalidSignature:
        raise Refusal("UNAUTHORIZED", "device signature invalid") from None
    if device["id"] != hashlib.sha256(public).hexdigest() or device["nonce"] != NONCE:
        raise Refusal("UNAUTHORIZED", "device identity mismatch")
    if device["signedAt"] != STARTED_AT:
        raise Refusal("UNAUTHORIZED", "device signature expired")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
