from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner, Result
from rich.console import Console

from clawatch.cli import main
from clawatch.cli.screens import Lines, Picture
from clawatch.testing.app import App, run_app

NODE = "4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"
LINES: list[dict[str, Any]] = [
    {"kind": "recording", "node_id": NODE, "run_id": "r", "started_at": "2026-03-09T03:00:00Z", "tick_seconds": 60},
    *({"kind": "tick", "tick": tick, "metrics": {"stuck": int(tick >= 12), "cost": 0.25}} for tick in range(20)),
    {"kind": "step", "tick": 12, "agent_id": "bot", "state": {"status": "stuck"}, "action": "asked to \x1b[2Jpause"},
    {"kind": "event", "tick": 12, "type": "alert_fired", "source": "stuck", "description": "no sign of [bold]life\n"},
    {"kind": "end"},
]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path) as app, ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session:
        body = "".join(json.dumps(line) + "\n" for line in LINES).encode()
        async with session.post("/api/recordings", data=body) as answer:
            assert answer.status == 201
        yield app


async def call(app: App, *arguments: str, key: str | None = None) -> Result:
    env = {"CLAWATCH_URL": app.url, "CLAWATCH_KEY": app.key if key is None else key}
    return await asyncio.to_thread(CliRunner().invoke, main, ["replay", *arguments], env=env)


def told(done: Result) -> list[str]:
    """Without what the daemon in the same process logs."""
    return [line for line in done.output.splitlines() if "http.request" not in line]


async def test_it_plays_a_recording_line_by_line_where_there_is_no_terminal(app: App) -> None:
    done = await call(app, NODE, "--speed", "100000")
    assert done.exit_code == 0, done.output
    assert told(done) == [
        "2026-03-09 03:00  stuck 0, cost 0.25",
        "2026-03-09 03:12  bot: asked to [2Jpause",
        "2026-03-09 03:12  stuck 1, cost 0.25",
        "2026-03-09 03:12  alert_fired stuck no sign of [bold]life",
    ]


async def test_it_plays_a_part(app: App) -> None:
    done = await call(app, NODE, "--speed", "100000", "--from", "3", "--to", "5")
    assert told(done) == ["2026-03-09 03:03  stuck 0, cost 0.25"]


async def test_without_a_node_it_lists_those_there_are(app: App) -> None:
    done = await call(app)
    assert told(done) == [f"{NODE}  r  20 ticks, 1 agents, 1 events"]


@pytest.mark.parametrize(("arguments", "key", "said"), [
    (["00000000-0000-0000-0000-000000000000"], None, "No recording of this node"),
    ([NODE, "--from", "99"], None, "between 0 and 19"),
    ([NODE], "cw_wrong", "Invalid or missing API key"),
    ([], "cw_wrong", "Invalid or missing API key"),
])  # fmt: skip
async def test_it_says_what_is_wrong(app: App, arguments: list[str], key: str | None, said: str) -> None:
    done = await call(app, *arguments, key=key)
    assert (done.exit_code, said in done.output) == (1, True), done.output


def test_it_says_so_when_nobody_answers() -> None:
    done = CliRunner().invoke(main, ["replay", NODE, "--url", "http://127.0.0.1:9"])
    assert (done.exit_code, "does not answer" in done.output) == (1, True)


def frame(kind: str, tick: int = 0, **data: Any) -> dict[str, Any]:
    return {"type": f"replay_{kind}", "replay": True, "node": NODE, "tick": tick, "timestamp": None, "data": data}


def test_a_terminal_shows_figures_agents_and_news() -> None:
    picture, out = Picture(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    console.print(picture.drawn())
    picture.take(frame("started", runId="hour", to=59, speed=60.0))
    for tick in range(60):
        picture.take(frame("tick", tick, metrics={"stuck": tick, "gone": None}))
    for number in range(40):
        state = {"status": "stuck" if number == 39 else "running"}
        picture.take(frame("step", 59, agentId=f"bot-{number:02}\x1b[2J", state=state, action=None))
    picture.take(frame("event", 59, type="alert_fired", source="stuck", description="[red]silent\x1b[2J"))
    console.print(picture.drawn())
    shown = out.getvalue()
    assert "tick 59 of 59   60 times as fast" in shown
    assert shown.index("bot-39") < shown.index("bot-00")
    assert "and 25 running" in shown
    assert "[red]silent" in shown
    assert "\x1b[2J" not in shown


def test_a_metric_that_stays_is_not_told_again() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=80))
    for tick in range(3):
        lines.take(frame("tick", tick, metrics={"stuck": int(tick == 2)}))
    assert out.getvalue().splitlines() == ["tick 0  stuck 0", "tick 2  stuck 1"]
