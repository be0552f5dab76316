"""A receiver over real HTTP, and a core with a session to reach it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from clawatch_plugins.webhook.notifier import Webhook
from clawatch_plugins.webhook.settings import WebhookSettings

from clawatch.domain.deliveries import Outcome
from clawatch.testing.clock import FakeClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """Records posts and answers as scripted, else 204."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.url = ""
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: deque[web.Response | None] = deque()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.posts.append((dict(request.headers), await request.read()))
        answer = self.answers.popleft() if self.answers else web.Response(status=204)
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 1000)
        await asyncio.Event().wait()
        return response

    def notifier(self, **changes: Any) -> Webhook:
        plain = {"url": f"{self.url}/hook", "secret": SECRET}
        return Webhook(WebhookSettings.model_validate(plain | changes), self.core)

    async def answering(self, answer: web.Response | None, notification: Any, **changes: Any) -> Outcome:
        self.answers.append(answer)
        return await self.notifier(**changes).deliver(notification)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    clock = FakeClock(wall=int(time.time() * 1000))  # the verifier looks at the real clock
    async with aiohttp.ClientSession() as session:
        receiver = Receiver(SimpleNamespace(clock=clock, http=SimpleNamespace(session=session)))
        app = web.Application()
        app.router.add_post("/hook", receiver.handle)
        app.router.add_post("/endless", receiver.endless)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
        await runner.cleanup()
