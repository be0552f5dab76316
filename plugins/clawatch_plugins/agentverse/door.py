"""The door: seven questions about a recording, none of which changes anything."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from clawatch.apis.pace import Pace
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.recordings import Recording
from clawatch.domain.recordings.slices import Slice
from clawatch.ports import Core, NotFound
from clawatch_plugins.agentverse import answers, asking
from clawatch_plugins.agentverse.caching import DAY, HOUR, Answers, encoded, tag_of
from clawatch_plugins.agentverse.refusals import (
    envelope,
    invalid,
    no_agent,
    no_telemetry,
    not_a_keyframe,
    too_many_streams,
)
from clawatch_plugins.agentverse.stream import stream

BASE = "/api/v1/telemetry"
_NODE = BASE + "/{node_id}"
MOST_STREAMED = 2_000_000
"""Values in the chunks of all streams together: a slow reader holds one for as long as it likes."""

Serve = Callable[[web.Request, Recording], Awaitable[web.StreamResponse]]


class Door:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._recordings = core.recordings
        self._answers = Answers()
        self._streaming = 0
        """Values in the chunks that streams hold now."""

    def api(self) -> Api:
        slicing = (asking.START, asking.END, asking.RESOLUTION, asking.METRICS, asking.SEGMENTS, asking.REGIONS)
        listing = (asking.TYPE, asking.RANGE, asking.MIN_IMPACT, asking.SKIP, asking.LIMIT)
        parts: tuple[tuple[str, Serve, str, tuple[Any, ...]], ...] = (
            ("", self.index, "What is recorded of a node", ()),
            ("/slice", self.slice, "Metrics over a range of ticks", slicing),
            ("/keyframe/{tick}", self.keyframe, "How things stood at a keyframe", ()),
            ("/agent/{agent_id}", self.agent, "The trajectory of an agent", (asking.REASONING, asking.RANGE)),
            ("/events", self.events, "What happened", listing),
            ("/stream", self.stream, "Metrics chunk by chunk, as server-sent events", (asking.CHUNK, asking.METRICS)),
            ("/aggregates", self.aggregates, "What it came to", ()),
        )  # fmt: skip
        routes = [
            Route("GET", _NODE + path, self._of_node(serve), Scope.READ, summary, params=params)
            for path, serve, summary, params in parts
        ]
        return Api(tuple(routes), envelope, (BASE,))

    def _of_node(self, serve: Serve) -> Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request, principal: Principal) -> web.StreamResponse:
            return await serve(request, await self._find(request.match_info["node_id"], principal))

        return handle

    async def _find(self, text: str, principal: Principal) -> Recording:
        """Raises Refused (404) where there is none, or none that this caller may see."""
        try:
            return await self._recordings.find(str(uuid.UUID(text)), principal)
        except (NotFound, ValueError):
            raise no_telemetry(await self._run_status(text, principal)) from None

    async def _run_status(self, run_id: str, principal: Principal) -> str:
        """Of the run of this name; what is not known here may be running elsewhere."""
        try:
            return (await self._core.queries.run(run_id, principal)).status.value
        except NotFound:
            return "running"

    async def index(self, request: web.Request, recording: Recording) -> web.Response:
        async def make() -> Any:
            return answers.index(recording)

        return await self._answers.give(request, tag_of(recording, "index", None), HOUR, make)

    async def slice(self, request: web.Request, recording: Recording) -> web.Response:
        where = asking.slice_of(request, recording)
        return await self._answers.give(
            request, tag_of(recording, "slice", where), DAY, lambda: self._slice(recording, where)
        )

    async def _slice(self, recording: Recording, where: Slice) -> bytes:
        data, pace = [], Pace()
        async for point in self._recordings.points(recording, where):
            data.append(point)
            await pace.step()
        body = {
            "node_id": recording.node_id,
            "start_tick": where.first,
            "end_tick": where.last,
            "resolution": where.resolution,
            "data": data,
            "total_points": len(data),
        }
        return await encoded(body, where.size)

    async def keyframe(self, request: web.Request, recording: Recording) -> web.Response:
        tick = asking.keyframe_of(request.match_info["tick"], recording)
        if tick not in recording.keyframes:
            raise not_a_keyframe(tick, recording.keyframes)

        async def make() -> Any:
            return answers.keyframe(recording, await self._recordings.keyframe(recording, tick))

        return await self._answers.give(request, tag_of(recording, "keyframe", tick), DAY, make)

    async def agent(self, request: web.Request, recording: Recording) -> web.Response:
        agent_id, span = request.match_info["agent_id"], asking.span_of(request)
        reasons = asking.flag_of(request, "include_reasoning")

        async def make() -> Any:
            try:
                found = await self._recordings.trajectory(recording, agent_id, span.first, span.last, reasons)
            except NotFound:
                raise no_agent(agent_id) from None
            return answers.agent(found)

        # who is not in it has no tag either
        tag = tag_of(recording, "agent", (agent_id, span, reasons))
        return await self._answers.give(request, tag, DAY, make)

    async def events(self, request: web.Request, recording: Recording) -> web.Response:
        where = asking.events_of(request)

        async def make() -> Any:
            return answers.events(recording, await self._recordings.events(recording, where))

        return await self._answers.give(request, tag_of(recording, "events", where), DAY, make)

    async def aggregates(self, request: web.Request, recording: Recording) -> web.Response:
        async def make() -> Any:
            return answers.aggregates(recording, await self._recordings.summary(recording))

        return await self._answers.give(request, tag_of(recording, "aggregates", None), DAY, make)

    async def stream(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        size, metrics = asking.chunk_of(request), asking.metrics_of(request, recording)
        values = size * max(1, len(metrics))
        if values > asking.MAX_VALUES:
            raise invalid("chunk_size", f"this would be more than {asking.MAX_VALUES} values a chunk")
        if self._streaming + values > MOST_STREAMED:
            raise too_many_streams()
        self._streaming += values
        try:
            return await stream(request, self._recordings, recording, size, metrics)
        finally:
            self._streaming -= values
