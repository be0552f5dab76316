"""The documentation does not lie: its examples run, and it names what there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
import structlog

from clawatch.cli import COMMANDS
from clawatch.config.loading import load
from clawatch.hookspecs import Hooks
from clawatch.pulse import Pulse
from clawatch.supervision import Supervision
from clawatch.systemd import ServiceManager
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


OPERATIONS = (DOCS / "operations.md").read_text()


async def test_every_figure_is_documented_and_every_documented_one_is_there(tmp_path: Path) -> None:
    config = {
        "sources": {"heartbeat": {"url": "http://127.0.0.1:9/", "every": "1h"}},
        "notifiers": {"hook": {"use": "webhook", "url": "http://127.0.0.1:9/"}},
    }
    async with run_app(tmp_path, config) as app:
        metrics = app.daemon.core.metrics
        Supervision(ServiceManager(None), Pulse(), metrics, structlog.get_logger())
        async with (
            aiohttp.ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session, session.ws_connect("/ws")
        ):
            pass
        while "clawatch_websocket_ended" not in {family.name for family in await metrics.gather()}:
            await asyncio.sleep(0.01)
        there = {family.name + "_total" * (family.kind == "counter") for family in await metrics.gather()}
    assert set(re.findall(r"`(clawatch_[a-z_]+)(?:\{[a-z,]+\})?`", OPERATIONS)) == there


def test_the_commands_it_names_are_there() -> None:
    named = set(re.findall(r"(?:^|[`>] ?|\*  )clawatch ([a-z-]+)", OPERATIONS, re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_its_configurations_are_right(tmp_path: Path) -> None:
    (tmp_path / "telegram-token").write_text("1:token")
    blocks = [text for text in re.findall(r"```yaml\n(.*?)```", OPERATIONS, re.DOTALL) if "scrape_configs" not in text]
    assert len(blocks) == 3
    for number, text in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        load(path, {"HOME": str(tmp_path), "CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    path = DOCS.parent / page
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []
