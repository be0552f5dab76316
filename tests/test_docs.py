"""The documentation does not lie: its examples run, and it names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp

from clawatch.hookspecs import Hooks
from clawatch.testing.app import run_app

DOCS = Path(__file__).parent.parent / "docs"


def block(page: str, language: str) -> str:
    """The first code block of a page in this language."""
    found = re.search(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found
    return found.group(1)


async def test_the_example_rule_fires_as_the_page_says(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "slow_tools.py").write_text(block("plugins.md", "python"))
    config = {"plugins": {"directory": str(plugins)}, "rules": {"slow_tools": {"after": "30s"}}}
    async with (
        run_app(tmp_path, config) as app,
        aiohttp.ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session,
    ):
        event = {"agentId": "a", "type": "tool_call", "data": {"toolName": "search", "durationMs": 31_000}}
        async with session.post("/api/events", json=event) as answer:
            assert answer.status == 201
        await app.settle()
        async with session.get("/api/alerts") as answer:
            (alert,) = (await answer.json())["alerts"]
    assert alert["message"] == "search took 31 s"


def test_every_hook_is_documented() -> None:
    hooks = [name for name in vars(Hooks) if name.startswith("register_")]
    page = (DOCS / "plugins.md").read_text()
    assert [name for name in hooks if f"`{name}`" not in page] == []
