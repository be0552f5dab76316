"""A stand-in for the daemon on a real loopback port, for testing clients of the ClaWatch API."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from aiohttp import web


class Request(NamedTuple):
    headers: dict[str, str]
    """Names in lower case."""
    events: list[dict[str, Any]]


class StandIn:
    """Takes events, hands out commands, keeps results; in a thread of its own, so that blocking clients can be tested.

    Each answer in ``script`` (status, headers, body) is given once, instead of taking the next events.
    """

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.port = 0
        self.requests: list[Request] = []
        self.events: list[dict[str, Any]] = []
        """Each once, as the daemon would count them."""
        self.results: dict[str, dict[str, Any]] = {}
        self.script: deque[tuple[int, dict[str, str], Any]] = deque()
        self.agents: dict[str, str] = {}
        """Command id → agent."""
        self._commands: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after a ``stop`` on the same port again."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="stand-in")
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._thread is not None and self._loop is not None and self._closing is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(10)
            self._thread = None

    def command(self, agent: str, type: str, **parameters: Any) -> str:
        """Ask something of an agent; the command's id."""
        with self._changed:
            command_id = f"cmd_{len(self.agents)}"
            self.agents[command_id] = agent
            self.redeliver(command_id, type, **parameters)
            return command_id

    def redeliver(self, command_id: str, type: str, **parameters: Any) -> None:
        """Hand it out (again)."""
        with self._changed:
            body = {
                "id": command_id, "type": type, "parameters": parameters, "requestedBy": "tester",
                "requestedAt": "2026-03-09T14:00:00.000Z", "expiresAt": None,
            }
            self._commands.append(body)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], Any], timeout: float = 15.0) -> Any:
        """The condition's value as soon as it is true of what was received."""
        with self._changed:
            value = self._changed.wait_for(condition, timeout)
        assert value, f"in {timeout} s nothing of the kind was received; events: {self.events}, results: {self.results}"
        return value

    def of_type(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type]

    def result(self, command_id: str, timeout: float = 15.0) -> dict[str, Any]:
        """The result of a command, waited for."""
        self.wait_for(lambda: command_id in self.results, timeout)
        return self.results[command_id]

    async def _serve(self, ready: threading.Event) -> None:
        app = web.Application()
        app.router.add_post("/api/events", self._take_events)
        app.router.add_get("/api/agents/{id}/commands", self._hand_out)
        app.router.add_post("/api/commands/{id}/result", self._take_result)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self._closing.wait()
        await runner.cleanup()
        for _ in range(10):  # closed connections are let go of in later turns of the loop
            await asyncio.sleep(0)

    async def _take_events(self, request: web.Request) -> web.Response:
        if self.script:
            status, headers, body = self.script.popleft()
            return web.json_response(body, status=status, headers=headers)
        if refusal := self._refusal(request):
            return refusal
        body = json.loads(await request.read())
        events = body if isinstance(body, list) else [body]
        with self._changed:
            known = {(event["agentId"], event.get("id")) for event in self.events}
            new = [event for event in events if "id" not in event or (event["agentId"], event["id"]) not in known]
            self.requests.append(Request({name.lower(): value for name, value in request.headers.items()}, events))
            self.events.extend(new)
            commands = self._take_commands({event["agentId"] for event in events})
            self._changed.notify_all()
        counts = {"accepted": len(new), "duplicates": len(events) - len(new)}
        return web.json_response({"ok": True, **counts, "rejected": [], "commands": commands}, status=201)

    async def _hand_out(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        loop = asyncio.get_running_loop()
        deadline = loop.time() + float(request.query.get("wait", "0"))
        while not (commands := self._take_commands({request.match_info["id"]})) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return web.json_response({"commands": commands})

    async def _take_result(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        command_id, result = request.match_info["id"], await request.json()
        with self._changed:
            if command_id not in self.agents:
                return web.json_response({"error": "Command not found"}, status=404)
            if command_id in self.results:
                return web.json_response({"error": "that is final"}, status=409)
            self.results[command_id] = result
            self._changed.notify_all()
        return web.json_response({"ok": True})

    def _take_commands(self, agents: set[str]) -> list[dict[str, Any]]:
        with self._changed:
            taken = [command for command in self._commands if self.agents[command["id"]] in agents]
            self._commands = [command for command in self._commands if command not in taken]
            return taken

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.key is None or request.headers.get("X-ClaWatch-Key") == self.key:
            return None
        return web.json_response({"error": "Invalid or missing API key"}, status=401)


@contextmanager
def running_standin(key: str | None = None) -> Iterator[StandIn]:
    """A stand-in that listens."""
    standin = StandIn(key)
    standin.start()
    try:
        yield standin
    finally:
        standin.stop()
