"""Names that mean ill, all the way out: what an agent calls itself is shown, or left out, and obeyed nowhere."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import Any

import pytest

from clawatch.testing.telegram import BotApi, Shown

CHAT = 77
CLEAR = "\x1b[2J\x1b]0;owned\x07"
NAMES = {
    "html": '<b>bold</b><a href="tg://user?id=1">you</a>&lt;',
    "markdown": "*bold* [you](tg://user?id=1) `code` _x_",
    "terminal": f"{CLEAR}green\x1b[32m",
    "lines": "one\nlevel=critical event=fake.alert agent=two\r\n2026-01-01 [error] fake",
    "direction": "\u202eevil\u2066\u200b\ufeff",
    "json": '","admin":true,"x":"\\u0000\\',
    "mention": "@everyone /pause a",
    "long": "🦞" * 500,
}
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture
async def told(launcher: Any) -> Any:
    """A daemon to which every one of them has spoken and failed, until Telegram has heard of it."""
    async with BotApi() as api:
        telegram = {"bot_token": api.token, "chats": [CHAT], "api_url": api.url}
        daemon = await launcher.start({"notifiers": {"telegram": telegram}})
        for name, text in NAMES.items():
            events = [{"agentId": name, "agentName": text, "host": text, "group": text, "kind": text, "type": "error",
                       "labels": {text[:50]: text}, "data": {"error": text, "message": text}}] * 4
            assert (await daemon.post("/api/events", events))[0] == 201
        await api.until(lambda: len(alerts_in(api)) == len(NAMES))
        yield daemon, api
        await daemon.stop()


def alerts_in(api: BotApi) -> list[Shown]:
    return [shown for shown in api.shown.values() if "Acknowledge" in str(shown.labels)]


async def test_hostile_names_are_text_in_json_telegram_logs_and_on_the_terminal(launcher: Any, told: Any) -> None:
    daemon, api = told
    shown = {agent["id"]: agent for agent in (await daemon.get("/api/agents"))["agents"]}
    assert shown.keys() == NAMES.keys()
    assert all(not CONTROLS.search(agent["name"]) and len(agent["name"]) <= 200 for agent in shown.values())
    assert shown["html"]["name"] == NAMES["html"]  # as it is: whoever shows it escapes it

    messages = [message.text for message in api.shown.values()]
    assert any(NAMES["html"] in text for text in messages)  # the stand-in reads markup as Telegram does
    assert not any(CONTROLS.search(text) for text in messages)
    sources = " ".join(message.source for message in api.shown.values())
    assert set(re.findall(r"<(\w+)", sources)) <= {"b", "code"}

    log = (launcher.home / "log").read_text()
    assert "alert.fired" in log
    assert not CONTROLS.search(log)
    assert not re.search(r"^(level=critical|2026-01-01 \[error\])", log, re.MULTILINE)

    said = await clawatch(daemon, "status")
    assert NAMES["markdown"] in said
    assert not CONTROLS.search(said)


async def clawatch(daemon: Any, *words: str) -> str:
    """The command line, on what it takes for a terminal as far as colours go."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": daemon.key, "COLUMNS": "250"},
    )
    out, _ = await child.communicate()
    assert child.returncode in (0, 1), out
    return out.decode()
