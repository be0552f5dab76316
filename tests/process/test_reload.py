"""SIGHUP: the configuration is read again, and nobody who is connected loses anything by it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, WSMsgType

SPIKE = {"error_spike": {"more_than": 0}}
SECRET = "ACME-" + "4" * 12


def rewrite(home: Path, **config: Any) -> None:
    """Change these keys of the file; None takes one out."""
    path = home / "config.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))


async def hang_up(launcher: Any, daemon: Any, until: Any, said: str = "config.reloaded") -> None:
    """Return when the daemon has said so in its log, once more than before."""
    log = launcher.home / "log"
    before = log.read_text().count(said)

    async def is_said() -> bool:
        return log.read_text().count(said) > before

    daemon.child.send_signal(signal.SIGHUP)
    await until(is_said)


async def test_a_right_file_is_taken_over(launcher: Any, daemon: Any, until: Any) -> None:
    rewrite(launcher.home, rules=SPIKE, redact=["ACME-[0-9]+"])
    await hang_up(launcher, daemon, until)
    await until(lambda: posted(daemon, {"agentId": "a", "type": "error", "data": {"error": SECRET}}))
    [alert] = await until(lambda: alerts(daemon))
    assert alert["type"] == "error"
    assert SECRET not in str(await daemon.get("/api/events"))
    await daemon.post(f"/api/nothing/{SECRET}")
    assert SECRET not in (launcher.home / "log").read_text()


async def test_a_wrong_file_keeps_the_old_one(launcher: Any, daemon: Any, until: Any) -> None:
    rewrite(launcher.home, rules={"error_spike": {"more_than": "many"}})
    await hang_up(launcher, daemon, until, "config.refused")
    assert "rules.error_spike.more_than" in (launcher.home / "log").read_text()
    assert (await daemon.post("/api/events", {"agentId": "a", "type": "heartbeat"}))[0] == 201
    assert await daemon.stop() == 0


async def test_what_needs_a_restart_is_said_and_stays(launcher: Any, daemon: Any, until: Any) -> None:
    rewrite(launcher.home, server={"host": "127.0.0.2", "port": 1, "public_url": "https://other.example"},
            data_dir=str(launcher.home / "other"))
    await hang_up(launcher, daemon, until)
    assert await until(lambda: posted(daemon, {"agentId": "a", "type": "heartbeat"}))
    assert [a["id"] for a in (await daemon.get("/api/agents"))["agents"]] == ["a"]
    log = (launcher.home / "log").read_text()
    assert "config.needs_restart" in log
    assert "key=server" in log
    assert "key=data_dir" in log
    assert not (launcher.home / "other").exists()


async def test_nothing_posted_meanwhile_is_refused_and_live_clients_go_on_by_cursor(
    launcher: Any, daemon: Any, until: Any
) -> None:
    async with ClientSession(headers={"X-ClaWatch-Key": launcher.key}) as session:
        ws = await session.ws_connect(f"{daemon.url}/ws")
        cursor = await subscribe(ws, None)
        stop, statuses = asyncio.Event(), []
        poster = asyncio.create_task(post_until(session, daemon.url, stop, statuses))
        rewrite(launcher.home, rules=SPIKE)
        await hang_up(launcher, daemon, until)
        seen: list[str] = []
        async with asyncio.timeout(10):
            while (message := await ws.receive()).type is WSMsgType.TEXT:
                told = message.json()
                seen.append(told["data"]["id"])
                cursor = told["cursor"]
        assert message.data in (1001, 1012)
        stop.set()
        await poster
        ws = await session.ws_connect(f"{daemon.url}/ws")
        await subscribe(ws, cursor)
        async with asyncio.timeout(10):
            while len(seen) < len(statuses):
                seen.append((await ws.receive_json())["data"]["id"])
        await ws.close()
    assert set(statuses) == {201}
    assert seen == [f"e{n}" for n in range(len(statuses))]


async def test_an_agent_that_waits_for_commands_is_answered_and_holds_nothing_up(
    launcher: Any, daemon: Any, until: Any
) -> None:
    await daemon.post("/api/events", {"agentId": "a", "type": "heartbeat"})
    waiting = asyncio.create_task(daemon.get("/api/agents/a/commands?wait=60"))
    for _ in range(3):  # answered after it, so that it is at its handler by now
        await daemon.get("/health")
    await hang_up(launcher, daemon, until)
    async with asyncio.timeout(10):
        assert await waiting == {"commands": []}


async def post_until(session: ClientSession, url: str, stop: asyncio.Event, statuses: list[int]) -> None:
    """Each on a connection of its own: one that idles may be closed under the client at any shutdown."""
    while not stop.is_set():
        event = {"agentId": "a", "type": "message", "id": f"e{len(statuses)}"}
        async with session.post(f"{url}/api/events", json=event, headers={"Connection": "close"}) as answer:
            statuses.append(answer.status)


async def subscribe(ws: Any, cursor: str | None) -> str:
    await ws.send_json({"type": "subscribe", "topics": ["events"], "cursor": cursor})
    async with asyncio.timeout(5):
        while (message := await ws.receive_json())["type"] != "subscribed":
            pass
    return str(message["cursor"])


async def posted(daemon: Any, event: dict[str, Any]) -> bool:
    status, _ = await daemon.post("/api/events", event)
    return bool(status == 201)


async def alerts(daemon: Any) -> Any:
    return (await daemon.get("/api/alerts"))["alerts"]
