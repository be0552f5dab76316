"""How clients connect, stay connected, and are disconnected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clawatch_plugins.freeagentics import door, limits
from yarl import URL

from clawatch.domain.time import HOUR


async def test_fa_01_02_05_06_a_token_in_the_url_connects_and_the_first_frame_says_so(fa: Any) -> None:
    """FA-01, FA-02, FA-05, FA-06."""
    for headers in ({}, {"X-Client-Fingerprint": "f", "X-Client-Version": "1.2.3"}):
        client = await fa.reach(headers=headers)
        first = await client.next()
        assert first["type"] == "connection_established"
        assert set(first["data"]) == {"client_id", "session_id", "pooled", "server_version"}
        assert first["data"]["pooled"] is True
        assert first["data"]["server_version"] == (await fa.cw.get("/api/system"))["version"]


async def test_fa_05_every_connection_has_ids_of_its_own(fa: Any) -> None:
    """FA-05."""
    one, other = await fa.reach(), await fa.reach()
    first, second = await one.hear(), await other.hear()
    assert first["client_id"] != second["client_id"]
    assert first["session_id"] != second["session_id"]


@pytest.mark.parametrize("key", [None, "", "wrong", "a.b.c"], ids=["missing", "empty", "wrong", "no JWT"])
async def test_fa_03_04_a_bad_token_is_accepted_told_and_closed_with_1008(fa: Any, key: str | None) -> None:
    """FA-03, FA-04: not refused at the handshake, where clients would see 1006."""
    url = URL(fa.url) if key is None else URL(fa.url).with_query(token=key)
    ws = await fa.session.ws_connect(url)
    message = await ws.receive_json(timeout=5)
    assert message["type"] == "connection_error"
    assert message["data"] == {
        "error_code": "AUTHENTICATION_FAILED", "error_message": "Invalid or expired token", "close_code": 1008,
        "retry_after": 30,
    }
    await ws.receive(timeout=5)
    assert ws.close_code == 1008


async def test_fa_01_tokens_of_the_other_apis_work_here_too(fa: Any) -> None:
    """FA-01, X-06: one credential store."""
    token = (await fa.cw.post("/api/auth/token"))["access_token"]
    await fa.connect(key=token)
    await fa.connect(key=await fa.cw.make_key("read"))


async def test_fa_22_50_a_key_that_may_not_read_is_told_and_closed(fa: Any) -> None:
    """FA-22, FA-50."""
    client = await fa.reach(key=await fa.cw.make_key("ingest", "control"))
    data = await client.hear("connection_error")
    assert (data["error_code"], data["close_code"]) == ("PERMISSION_DENIED", 1008)
    assert await client.closed() == 1008


async def test_fa_51_a_token_that_expires_in_mid_connection_ends_it(
    monkeypatch: pytest.MonkeyPatch, run_cw: Any, door_of: Any
) -> None:
    """FA-51: the client is told, so that it refreshes its token and reconnects."""
    monkeypatch.setattr(limits, "RECHECK_EVERY", 0.05)
    async with run_cw() as cw:
        fa = door_of(cw)
        token = (await cw.post("/api/auth/token"))["access_token"]
        client = await fa.connect(key=token)
        assert await client.until_pong() == []
        cw.clock.advance(2 * HOUR)
        data = await client.hear("connection_error")
        assert (data["error_code"], data["close_code"]) == ("AUTHENTICATION_FAILED", 1008)
        assert await client.closed() == 1008
        await fa.connect(key=(await cw.post("/api/auth/token"))["access_token"])


async def test_fa_51_a_revoked_key_ends_its_connections(
    monkeypatch: pytest.MonkeyPatch, run_cw: Any, door_of: Any
) -> None:
    """FA-51."""
    monkeypatch.setattr(limits, "RECHECK_EVERY", 0.05)
    async with run_cw() as cw:
        client = await door_of(cw).connect(key=await cw.make_key("read", name="gone"))
        await cw.ask("DELETE", "/api/keys/gone")
        assert (await client.hear("connection_error"))["error_code"] == "AUTHENTICATION_FAILED"
        assert await client.closed() == 1008


async def test_fa_23_a_ping_is_answered_with_the_time_and_the_age_of_the_connection(fa: Any) -> None:
    """FA-23: with no data, and with no timestamp of the client's."""
    client = await fa.connect()
    await client.ws.send_str('{"type": "ping"}')
    data = await client.hear("pong")
    assert data["server_time"] == "2026-03-09T14:00:00.000Z"
    assert data["connection_duration"] in (0, 1)
    assert isinstance(data["connection_duration"], int)


async def test_fa_25_a_client_that_disconnects_is_closed_cleanly(fa: Any) -> None:
    """FA-25: by message and close, or by the message alone."""
    one, other = await fa.connect(), await fa.connect()
    await one.say("disconnect", reason="user_initiated")
    await one.ws.close(code=1000, message=b"Normal closure")
    assert one.ws.close_code == 1000
    await other.say("disconnect", reason="user_initiated")
    assert await other.closed() == 1000


@pytest.mark.parametrize("text", [
    "{", "", "nonsense", "[]", "7", "null", "{}", '{"type": 7}', '{"type": null}', '{"type": "ping", "data": []}',
    '{"type": "subscribe", "data": "all"}', '{"type": "subscribe"}', '{"type": "subscribe", "data": {"events": "x"}}',
    '{"type": "subscribe", "data": {"events": ["agent_status"], "agents": "a"}}', '{"type": "dance"}',
    '{"type": "subscribe", "data": {"events": [], "filters": {"severity": "all"}}}', "[" * 5000, '{"type": "\\ud800"}',
    '{"type": "ping", "data": NaN}', '{"type": "configure", "data": {"metrics_interval": 1e400}}',
])
async def test_fa_49_what_makes_no_sense_is_refused_and_the_connection_stays(fa: Any, text: str) -> None:
    """FA-49, FA-50."""
    client = await fa.connect()
    await client.ws.send_str(text)
    data = await client.hear("error")
    assert data["error_code"] == "INVALID_MESSAGE_FORMAT"
    assert data["error_message"]
    assert await client.until_pong() == []


async def test_fa_49_bytes_are_read_like_text_and_broken_ones_refused(fa: Any) -> None:
    """FA-49."""
    client = await fa.connect()
    await client.ws.send_bytes(b'{"type": "ping"}')
    await client.hear("pong")
    await client.ws.send_bytes(b"\xff\xfe\x00")
    assert (await client.hear("error"))["error_code"] == "INVALID_MESSAGE_FORMAT"


async def test_fa_52_a_client_that_pings_stays_and_a_silent_one_is_warned_and_disconnected(
    monkeypatch: pytest.MonkeyPatch, run_cw: Any, door_of: Any
) -> None:
    """FA-40, FA-52: five minutes of silence, shortened here; `disconnect_warning` comes before."""
    assert limits.IDLE_AFTER == 300
    monkeypatch.setattr(limits, "IDLE_AFTER", 0.6)
    monkeypatch.setattr(door, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(door, "WARN_BEFORE", 0.3)
    async with run_cw() as cw:
        fa = door_of(cw)
        silent, lively = await fa.connect(), await fa.connect()

        async def ping() -> None:
            while True:
                await lively.until_pong()
                await asyncio.sleep(0.1)

        pinging = asyncio.create_task(ping())
        assert (await silent.hear("disconnect_warning"))["reason"] == "idle"
        assert await silent.closed() == 1001
        assert silent.types().count("disconnect_warning") == 1
        await asyncio.sleep(0.4)
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)
        assert "disconnect_warning" not in lively.types()


async def test_x_10_a_daemon_that_ends_closes_its_clients_cleanly_and_knows_its_agents_again(
    run_cw: Any, door_of: Any
) -> None:
    """X-10."""
    storage = {"use": "sqlite"}
    async with run_cw(storage=storage) as cw:
        fa = door_of(cw)
        client = await fa.connect()
        await fa.report("a", "r", kind="inference", status="running")
        await cw.post("/api/agents/a/stop")
        cw.sockets.clear()  # or they were closed from here
        closing = asyncio.create_task(client.closed())
    assert await closing == 1001
    async with run_cw(storage=storage) as cw:
        client = await door_of(cw).connect()
        await client.say("command", agent_id="a", command="get_status")
        data = await client.hear("agent_status")
        assert (data["new_status"], data["inference_count"]) == ("stopped", 1)
