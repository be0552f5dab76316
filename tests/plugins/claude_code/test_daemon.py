"""Hooks and telemetry together, in the whole daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from clawatch.domain.events import Turn
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock


def export(name: str, **attributes: str) -> dict[str, Any]:
    told = {"session.id": "s1", "event.name": name, **attributes}
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
    scope = {"name": "com.anthropic.claude_code.events"}
    return {"resourceLogs": [{"scopeLogs": [{"scope": scope, "logRecords": [{"attributes": pairs}]}]}]}


async def test_where_hooks_tell_the_turn_the_logs_do_not_guess_it(tmp_path: Path, clock: FakeClock) -> None:
    async with run_app(tmp_path, clock=clock) as app, ClientSession(headers={"X-ClaWatch-Key": app.key}) as session:

        async def post(path: str, body: Any) -> None:
            async with session.post(app.url + path, json=body) as answer:
                assert answer.status == 200, await answer.text()

        await post("/hooks/claude-code", {"hook_event_name": "UserPromptSubmit", "session_id": "s1", "prompt": "hi"})
        async with asyncio.timeout(5):
            while (agent := app.daemon.fleet.get("claude-code:s1")) is None:
                await asyncio.sleep(0.01)
        assert agent.turn is Turn.OPEN
        clock.advance(1_000)
        await post("/v1/logs", export("api_request", request_id="r1"))
        agent = app.daemon.fleet.get("claude-code:s1")
        assert agent is not None
        assert (agent.turn, agent.sources) == (Turn.OPEN, ("claude_code_hooks", "otlp"))
