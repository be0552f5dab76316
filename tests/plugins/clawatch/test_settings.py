"""What the API says of the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from clawatch.domain.access import CORE, Scope
from clawatch.domain.events import Event, EventType
from clawatch.testing.app import App, run_app

CONFIG = {
    "agents": [{"match": "build-*", "rules": {"cost": {"limits": [{"per": "day", "usd": 2.5}]}}}],
    "notifiers": {"telegram": {"bot_token": "1234567:AAE" + "x" * 32, "chats": [7], "api_url": "http://127.0.0.1:9"}},
}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path, CONFIG) as app:
        now = app.clock.now().wall
        events = [Event(agent_id=name, type=EventType.HEARTBEAT, at=now) for name in ("build-1", "other")]
        await app.daemon.core.ingest.accept(events, CORE)
        yield app


async def test_the_configuration_in_force_is_shown_to_the_admin_without_its_secrets(app: App) -> None:
    async with ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session:
        answer = await session.get("/api/config")
        assert answer.status == 200
        config = (await answer.json())["config"]
    assert config["notifiers"]["telegram"]["bot_token"] == "(hidden)"
    assert config["rules"]["stuck"]["after"] == "5m"


async def test_the_rules_are_told_with_what_holds_otherwise_for_some_agents(app: App) -> None:
    async with ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session:
        said = await (await session.get("/api/rules")).json()
        one = await (await session.get("/api/rules?agentId=other")).json()
        missing = await session.get("/api/rules?agentId=nobody")
    assert said["rules"]["cost"]["limits"] == [{"per": "total", "usd": 10.0, "scope": "agent"}]
    assert {name: list(own) for name, own in said["agents"].items()} == {"build-1": ["cost"]}
    assert said["agents"]["build-1"]["cost"]["limits"] == [{"per": "day", "usd": 2.5, "scope": "agent"}]
    assert one["agents"] == {}
    assert missing.status == 404


async def test_nobody_is_told_of_agents_that_the_key_does_not_see(app: App) -> None:
    key = await app.daemon.core.access.create_key("narrow", [Scope.READ], ["other"], "", None)
    async with ClientSession(app.url, headers={"X-ClaWatch-Key": key}) as session:
        assert (await (await session.get("/api/rules")).json())["agents"] == {}
        assert (await session.get("/api/config")).status == 403
