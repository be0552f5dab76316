"""The door: recordings begun, extended, completed, listed and removed."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from aiohttp import web
from msgspec import Struct

from clawatch.apis.bodies import MAX_BODY, read_json, stream_body
from clawatch.apis.envelopes import Refused, clawatch_envelope, reply, writable
from clawatch.apis.routes import Api, Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.recordings import BadLine, Recording
from clawatch.ports import Core, Invalid, OutOfStep
from clawatch_plugins.recordings.views import Begun, Extended, RecordedAgents, RecordingList, RecordingView, view_of

MAX_RECORDING = 4 * 1024**3
"""Bytes of one body, inflated. It is never in memory as a whole."""
MAX_LIMIT = 1000
_CURSOR = Param("cursor", "query", str, "`next` of the page before")
_LIMIT = Param("limit", "query", int, f"1 to {MAX_LIMIT}")
_SKIP = Param("skip", "query", int, "how many to pass over; 0")
_START = Param("X-Start-Line", "header", int, "number of the first line in the body; the header is line 1")

T = TypeVar("T")


class Ending(Struct):
    """What may come with a completion."""

    aggregates: dict[str, Any] = {}


class Door:
    def __init__(self, core: Core) -> None:
        self._recordings = core.recordings

    def api(self) -> Api:
        ndjson = "NDJSON; the first line is of the kind `recording`"
        routes = (
            Route("POST", "/api/recordings", self.begin, Scope.INGEST, f"A recording: {ndjson}", gives=Begun,
                  status=201),
            Route("GET", "/api/recordings", self.list, Scope.READ, "Recordings, the newest first",
                  gives=RecordingList, params=(_CURSOR, _LIMIT)),
            Route("GET", "/api/recordings/{id}", self.detail, Scope.READ, "One recording", gives=RecordingView),
            Route("GET", "/api/recordings/{id}/agents", self.agents, Scope.READ, "Who is in a recording",
                  gives=RecordedAgents, params=(_SKIP, _LIMIT)),
            Route("DELETE", "/api/recordings/{id}", self.remove, Scope.INGEST, "Remove a recording", status=204),
            Route("POST", "/api/recordings/{id}/frames", self.extend, Scope.INGEST,
                  "More lines of an open recording", gives=Extended, params=(_START,)),
            Route("POST", "/api/recordings/{id}/complete", self.complete, Scope.INGEST,
                  "Make an open recording readable, and immutable", takes=Ending, gives=Begun),
        )  # fmt: skip
        return Api(routes, clawatch_envelope, ("/api/recordings",))

    async def begin(self, request: web.Request, principal: Principal) -> web.Response:
        pieces = stream_body(request, MAX_RECORDING)
        return reply(_begun(await _read(self._recordings.record(pieces, principal))), 201)

    async def extend(self, request: web.Request, principal: Principal) -> web.Response:
        start = _number(request.headers.get("X-Start-Line"), "X-Start-Line", 0)
        pieces = stream_body(request, MAX_RECORDING)
        try:
            recording = await _read(self._recordings.extend(request.match_info["id"], start, pieces, principal))
        except OutOfStep as error:
            return reply({"error": str(error), "next_line": error.next_line}, 409)
        return reply(Extended(next_line=recording.progress.next_line, ended=recording.progress.has_ended))

    async def complete(self, request: web.Request, principal: Principal) -> web.Response:
        ending = await read_json(request, Ending, limit=MAX_BODY)
        return reply(_begun(await self._recordings.complete(request.match_info["id"], principal, ending.aggregates)))

    async def remove(self, request: web.Request, principal: Principal) -> web.Response:
        await self._recordings.discard(request.match_info["id"], principal)
        return web.Response(status=204)

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        return reply(view_of(await self._recordings.get(request.match_info["id"], principal)))

    async def agents(self, request: web.Request, principal: Principal) -> web.Response:
        recording = await self._recordings.get(request.match_info["id"], principal)
        skip = _number(request.query.get("skip", "0"), "skip", 0)
        found = await self._recordings.agents(recording, skip, _limit(request))
        return reply(RecordedAgents(agents=found, total=recording.agent_count))

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        page = await self._recordings.list(principal, request.query.get("cursor") or None, _limit(request))
        return reply(RecordingList(recordings=tuple(map(view_of, page.items)), next=page.next))


def _begun(recording: Recording) -> Begun:
    progress = None if recording.is_complete else recording.progress.next_line
    return Begun(
        id=recording.id, node_id=recording.node_id, run_id=recording.run_id, complete=recording.is_complete,
        next_line=progress,
    )  # fmt: skip


async def _read(recording: Awaitable[T]) -> T:
    """Bad lines are named by their number, for people and for programs."""
    try:
        return await recording
    except BadLine as bad:
        raise Refused(400, writable(str(bad)), "bad_line", {"line": bad.number}) from None


def _limit(request: web.Request) -> int:
    limit = _number(request.query.get("limit", "100"), "limit", 1)
    if limit > MAX_LIMIT:
        raise Invalid(f"limit: at most {MAX_LIMIT}")
    return limit


def _number(text: str | None, name: str, least: int) -> int:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 12 or int(text) < least:
        raise Invalid(f"{name} must be a whole number from {least}")
    return int(text)
