"""A model provider on loopback that answers as OpenAI does, and a daemon for the examples to report to."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clawatch.testing.app import App, run_app

ROOT = Path(__file__).parents[2]
MODEL = "gpt-5-mini"
CALL = {"name": "population", "arguments": '{"city": "Paris"}'}
ANSWER = "2102650 people live in Paris."
INPUT, CACHED, OUTPUT = 1_000, 200, 50
"""Tokens of each of the provider's answers."""


class Provider:
    """Asks for the tool first, and answers once it has its result."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def chat(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        messages = (await request.json())["messages"]
        has_result = any(message["role"] == "tool" for message in messages)
        call = {"id": "call_1", "type": "function", "function": CALL}
        said = {"content": ANSWER} if has_result else {"content": None, "tool_calls": [call]}
        return web.json_response({
            "id": f"chatcmpl-{len(self.requests)}", "object": "chat.completion", "created": 1_760_000_000,
            "model": MODEL,
            "choices": [{
                "index": 0, "finish_reason": "stop" if has_result else "tool_calls",
                "message": {"role": "assistant", **said},
            }],
            "usage": {
                "prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
                "prompt_tokens_details": {"cached_tokens": CACHED},
            },
        })  # fmt: skip

    async def responses(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        given = (await request.json())["input"]
        has_result = isinstance(given, list) and any(one.get("type") == "function_call_output" for one in given)
        text = {"type": "output_text", "text": ANSWER, "annotations": []}
        said: dict[str, Any] = {
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text],
        }
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", **CALL}
        return web.json_response({
            "id": f"resp_{len(self.requests)}", "object": "response", "created_at": 1_760_000_000, "model": MODEL,
            "status": "completed", "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
            "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "output": [said if has_result else call],
            "usage": {
                "input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
                "input_tokens_details": {"cached_tokens": CACHED}, "output_tokens_details": {"reasoning_tokens": 0},
            },
        })  # fmt: skip


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, str]]:
    standin = Provider()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", standin.chat)
    app.router.add_post("/v1/responses", standin.responses)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield standin, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    from clawatch.clock import SystemClock

    async with run_app(tmp_path, clock=SystemClock()) as app:
        yield app


@pytest.fixture
def run(app: App, provider: tuple[Provider, str]) -> Callable[[str], Awaitable[str]]:
    """Run an example as its reader would; what it printed. One variable is ClaWatch's, besides where it listens."""

    async def run(name: str) -> str:
        environ = {
            **os.environ, "CLAWATCH_URL": app.url, "CLAWATCH_KEY": app.key,
            "OPENAI_BASE_URL": provider[1], "OPENAI_API_KEY": "sk-standin",
        }
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"examples.{name}", cwd=ROOT, env=environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await child.communicate()
        assert child.returncode == 0, err.decode()[-2000:]
        return out.decode()

    return run


