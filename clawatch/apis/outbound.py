"""The way out of a WebSocket: a bounded queue and the task that empties it."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web

FRAME_COST = 256
"""What a queued frame costs beside its bytes; many empty ones are not free."""


class Outbound:
    def __init__(self, ws: web.WebSocketResponse, frames: int, size: int) -> None:
        self.sent = 0
        self._ws = ws
        self._frames = frames
        self._size = size
        self._queue: deque[str | bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._is_finished = False

    def put(self, frame: str | bytes) -> bool:
        """Queue a frame; False, and nothing is queued, when the queue is full."""
        cost = len(frame) + FRAME_COST
        if len(self._queue) >= self._frames or self._queued + cost > self._size:
            return False
        self._queue.append(frame)
        self._queued += cost
        self._wake.set()
        return True

    def finish(self, drop: bool) -> None:
        """End ``run`` once the queue is empty, or at once, dropping it."""
        if drop:
            self._queue.clear()
        self._is_finished = True
        self._wake.set()

    async def run(self) -> None:
        """Send until finished. Raises ConnectionError when the connection is gone."""
        while self._queue or not self._is_finished:
            await self._wake.wait()
            while self._queue:
                frame = self._queue.popleft()
                self._queued -= len(frame) + FRAME_COST
                await self._send(frame)
            if not self._is_finished:
                self._wake.clear()

    async def _send(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            await self._ws.send_str(frame)
        else:
            await self._ws.send_bytes(frame)
        self.sent += 1
