"""Logging out ends what was opened with the login."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from clawatch_plugins.clawatch import live

from clawatch.apis.socket_limits import SocketLimits


@pytest.fixture
async def cw(run_cw: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whose sockets' logins are looked at again more often than every five seconds."""
    monkeypatch.setattr(live, "SocketLimits", partial(SocketLimits, recheck_every=0.05))
    async with run_cw() as client:
        yield client


async def log_in(cw: Any) -> dict[str, str]:
    """The headers of a page that is logged in."""
    code = (await cw.access.issue_login(60_000)).rpartition("#")[2]
    answer = await cw.ask("POST", "/api/auth/login", key=None, json={"code": code}, headers={"Origin": cw.url})
    assert answer.status == 200
    return {"Origin": cw.url, "Cookie": answer.headers["Set-Cookie"].split(";")[0]}


async def test_a_live_stream_ends_with_the_login_it_was_opened_with(cw: Any) -> None:
    mine, other = await log_in(cw), await log_in(cw)
    streams = [await cw.session.ws_connect(f"{cw.url}/ws", headers=headers) for headers in (mine, other)]
    for ws in streams:
        await ws.send_json({"type": "ping"})
        assert (await ws.receive_json(timeout=5))["type"] == "pong"
    assert (await cw.ask("POST", "/api/auth/logout", key=None, headers=mine)).status == 200
    assert (await streams[0].receive_json(timeout=5))["error"] == "the key or token is no longer valid"
    await streams[0].receive(timeout=5)
    assert streams[0].close_code == 1008
    await streams[1].send_json({"type": "ping"})
    assert (await streams[1].receive_json(timeout=5))["type"] == "pong"
    for ws in streams:
        await ws.close()
