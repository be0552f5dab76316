"""ClawdNet, CN-01 to CN-07, CN-16 to CN-25: who may connect, what they are told, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clawatch_plugins.clawdnet import door as clawdnet

from clawatch.apis.socket_limits import SocketLimits
from clawatch.domain.time import SECOND
from clawatch.settings import RateLimit


async def test_cn_01_02_a_first_frame_with_a_key_opens_the_stream(door: Any) -> None:
    """CN-01, CN-02: ``/telemetry`` without a token in its URL, then ``auth`` with an API key."""
    client = await door.connect()
    assert (await client.next())["type"] == "auth_success"


async def test_cn_02_an_access_token_is_as_good_as_a_key(door: Any) -> None:
    """CN-02: API key or telemetry token."""
    token = (await door.cw.post("/api/auth/token"))["access_token"]
    assert (await (await door.connect(token)).next())["type"] == "auth_success"


async def test_cn_03_success_comes_before_anything_else(door: Any) -> None:
    """CN-03: also while others keep talking."""
    bot = await door.enter()
    for n in range(5):
        await bot.say("metrics", agent_id="a", data={"messages_1h": n})
        client = await door.connect()
        assert {**await client.next(), "agents": []} == {"type": "auth_success", "user_id": "ops", "agents": []}
        await client.ws.close()


async def test_cn_04_success_lists_exactly_the_agents_of_the_user(door: Any) -> None:
    """CN-04: a list, also when it is empty."""
    cw = door.cw
    mine, none = await cw.make_key("read", agents=["mine-*"]), await cw.make_key("ingest", agents=["x-*"])
    for agent_id in ("mine-2", "theirs", "mine-1"):
        await cw.say(agent_id)
    assert (await (await door.connect(mine)).next())["agents"] == ["mine-1", "mine-2"]
    assert (await (await door.connect(none)).next())["agents"] == []
    assert (await (await door.connect()).next())["agents"] == ["mine-1", "mine-2", "theirs"]


@pytest.mark.parametrize("token", ["wrong", "cw_" + "x" * 43, "telem_abc", "ä" * 1000])
async def test_cn_05_a_wrong_token_is_told_and_closed(door: Any, token: str) -> None:
    """CN-05: an error frame without ``agent_id``, then 1008."""
    client = await door.connect(token)
    assert await client.refused() == "invalid_token"
    assert await client.closed() == 1008


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "metrics", "agent_id": "a", "data": {"messages_1h": 1}},
        {"type": "subscribe", "agent_id": "a"},
        {"type": "ping"},
        {"type": "auth"},
        {"type": "auth", "token": 7},
        [],
    ],
)
async def test_cn_06_nothing_is_processed_before_auth(door: Any, frame: Any) -> None:
    """CN-06: metrics, subscribe, ping."""
    client = await door.connect(None)
    await client.ws.send_json(frame)
    assert await client.refused() == "auth_required"
    assert await client.closed() == 1008
    assert (await door.cw.get("/api/agents"))["agents"] == []


async def test_cn_07_who_never_says_who_it_is_is_closed(limits: Any, run_cw: Any) -> None:
    """CN-07: after the time for it, 10 s by default."""
    assert SocketLimits().auth_within == 10
    limits(auth_within=0.05)
    async with run_cw() as cw, cw.session.ws_connect(f"{cw.url}/telemetry") as ws:
        assert (await ws.receive_json(timeout=5))["data"]["error_type"] == "auth_required"
        await ws.receive(timeout=5)
        assert ws.close_code == 1008


async def test_cn_05_what_a_header_says_needs_no_first_frame(door: Any) -> None:
    client = await door.connect(None, headers={"X-ClaWatch-Key": door.cw.key})
    assert (await client.next())["type"] == "auth_success"
    await client.say("auth", token=door.cw.key)
    assert (await client.next())["type"] == "auth_success"
    await client.say("auth", token=await door.cw.make_key("read"))
    assert await client.refused() == "invalid_token"
    assert await client.until_pong() == []


async def test_cn_05_a_grant_to_this_machine_does_not_stand_in_for_the_token(run_cw: Any) -> None:
    """Whose frames they are says the token; a wrong one is wrong from everywhere."""
    async with run_cw(auth={"loopback": ["read", "ingest"]}) as cw:
        ws = await cw.session.ws_connect(f"{cw.url}/telemetry")
        await ws.send_json({"type": "auth", "token": "wrong"})
        assert (await ws.receive_json(timeout=5))["data"]["error_type"] == "invalid_token"
        await ws.close()


async def test_a_key_that_may_neither_read_nor_write_is_closed(door: Any) -> None:
    client = await door.connect(await door.cw.make_key("control"))
    assert await client.refused() == "forbidden"
    assert await client.closed() == 1008


async def test_cn_16_a_ping_is_answered_with_the_time(door: Any) -> None:
    """CN-16: ``{"type":"pong","timestamp":…}``."""
    client = await door.enter()
    await client.say("ping")
    pong = await client.next()
    assert pong == {"type": "pong", "timestamp": pong["timestamp"]}
    assert pong["timestamp"].endswith("Z")


async def test_cn_17_unsubscribe_takes_an_agent_away_and_subscribe_brings_it_back(door: Any) -> None:
    """CN-17: on this connection alone."""
    bot, dashboard = await door.pair()
    other = await door.enter()
    for agent_id in ("a", "b"):
        await bot.say("status", agent_id=agent_id, status="online")
    await bot.until_pong()
    assert len(await dashboard.until_pong()) == 2

    async def told() -> list[str]:
        for agent_id in ("a", "b"):
            await bot.say("metrics", agent_id=agent_id, data={"messages_1h": 1})
        await bot.until_pong()
        assert [frame["agent_id"] for frame in (await other.until_pong())[-2:]] == ["a", "b"]
        return [frame["agent_id"] for frame in await dashboard.until_pong()]

    await dashboard.say("unsubscribe", agent_id="a")
    await dashboard.until_pong()
    assert await told() == ["b"]
    await dashboard.say("subscribe", agent_id="a")
    await dashboard.until_pong()
    assert await told() == ["a", "b"]


async def test_cn_18_a_client_that_never_subscribes_hears_its_own_agents(door: Any) -> None:
    """CN-18: all it may read, and no others."""
    mine = await door.cw.make_key("read", agents=["mine-*"])
    bot, dashboard = await door.pair("", mine)
    for agent_id in ("theirs", "mine-1"):
        await bot.say("metrics", agent_id=agent_id, data={"messages_1h": 1})
    await bot.until_pong()
    assert [frame["agent_id"] for frame in await dashboard.until_pong()] == ["mine-1"]


@pytest.mark.parametrize("frame", [
    {"agent_id": "nobody"}, {"agent_id": "theirs"}, {}, {"agent_id": 1}, {"agent_id": ""}, {"agent_id": ["a"]},
])  # fmt: skip
async def test_cn_19_subscribing_to_nobodys_or_a_foreign_agent_is_an_error_and_no_end(door: Any, frame: Any) -> None:
    """CN-19: the connection stays."""
    await door.cw.say("theirs")
    client = await door.enter(await door.cw.make_key("read", agents=["mine-*"]))
    for verb in ("subscribe", "unsubscribe"):
        await client.say(verb, **frame)
        assert await client.refused() in ("not_found", "invalid")
    assert await client.until_pong() == []


async def test_cn_21_the_sixth_connection_of_a_user_is_refused(door: Any) -> None:
    """CN-21: with an error frame after auth, then 1008; others have five of their own."""
    for _ in range(5):
        await door.enter()
    sixth = await door.connect()
    assert await sixth.refused() == "too_many_connections"
    assert await sixth.closed() == 1008
    await door.enter(await door.cw.make_key("read"))


async def test_cn_22_a_closed_connection_frees_its_place_at_once(door: Any) -> None:
    """CN-22: also one that was simply cut."""
    clients = [await door.enter() for _ in range(5)]
    await clients[0].ws.close()
    clients[1].ws._response.connection.transport.abort()
    await clients[1].ws.close()

    async def is_free() -> bool:
        client = await door.connect()
        is_in = (await client.next())["type"] == "auth_success"
        if not is_in:
            await client.ws.close()
        return is_in

    await door.cw.eventually(is_free)
    await door.cw.eventually(is_free)


async def test_cn_23_a_hundred_messages_a_second_are_taken_and_no_more(door: Any) -> None:
    """CN-23: what is beyond is refused, the connection survives and recovers."""
    client = await door.enter()
    for _ in range(100):
        await client.say("ping")
    assert [(await client.next())["type"] for _ in range(100)] == ["pong"] * 100
    for _ in range(250):
        await client.say("ping")
    answers = [await client.next() for _ in range(250)]
    refused = [answer for answer in answers if answer["type"] == "error"]
    assert len(refused) > 100
    assert {answer["data"]["error_type"] for answer in refused} == {"rate_limited"}
    await asyncio.sleep(0.05)
    assert await client.until_pong() == []


async def test_cn_24_silence_ends_a_connection_and_a_ping_keeps_it(limits: Any, run_cw: Any) -> None:
    """CN-24: five minutes; every frame from the client counts."""
    limits(idle_after=0.4)
    async with run_cw() as cw:
        quiet, lively = [await cw.session.ws_connect(f"{cw.url}/telemetry") for _ in range(2)]
        for ws in (quiet, lively):
            await ws.send_json({"type": "auth", "token": cw.key})
            await ws.receive(timeout=5)
        for _ in range(6):
            await lively.send_json({"type": "ping"})
            await lively.receive_json(timeout=5)
            await asyncio.sleep(0.1)
        await quiet.receive(timeout=5)
        assert (quiet.close_code, lively.closed) == (1001, False)
        await lively.close()


def test_the_contracts_numbers_are_the_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """CN-21, CN-23, CN-24: 5 connections, 100 messages a second, 5 minutes."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(clawdnet, "SocketLimits", lambda **figures: given.update(figures))
    monkeypatch.setattr(clawdnet, "Fanout", lambda *_: None)
    clawdnet.Door(None, clawdnet.ClawdNetSettings())  # type: ignore[arg-type]
    assert given == {"per_user": 5, "messages": RateLimit(100, SECOND), "idle_after": 300}


@pytest.mark.parametrize(
    "frame",
    ["", "not json", "7", "null", "[]", '"ping"', "{}", '{"type":null}', '{"type":["ping"]}', '{"type":"nonsense"}',
     '{"type":"ping"', "[" * 5000, '{"type":{"type":"ping"}}'],
)  # fmt: skip
async def test_cn_25_nonsense_is_refused_and_the_connection_stays(door: Any, frame: str) -> None:
    """CN-25: invalid JSON, no object, an unknown type."""
    client = await door.enter()
    await client.ws.send_str(frame)
    assert await client.refused() in ("invalid", "invalid_json")
    await client.ws.send_bytes(b"\xff\xfe")
    assert await client.refused() in ("invalid", "invalid_json")
    assert await client.until_pong() == []
