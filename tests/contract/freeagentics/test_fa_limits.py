"""The contract's limits, those of production and those of development."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from clawatch_plugins.freeagentics import pools
from clawatch_plugins.freeagentics.limits import ALLOWANCES, Messages
from yarl import URL

from clawatch.apis.limits import Buckets
from clawatch.domain.time import MINUTE, SECOND, parse_iso

ROOMY = {"freeagentics": {"limits": "development"}}


async def test_fa_43_the_sixth_connection_of_a_user_is_refused(fa: Any) -> None:
    """FA-43, FA-50."""
    mine = [await fa.connect() for _ in range(5)]
    sixth = await fa.reach()
    data = await sixth.hear("connection_error")
    assert (data["error_code"], data["close_code"]) == ("CONNECTION_LIMIT_EXCEEDED", 1008)
    assert data["retry_after"] > 0
    assert await sixth.closed() == 1008
    assert len(sixth.heard) == 1
    await mine[0].ws.close()
    await fa.cw.eventually(lambda: _is_admitted(fa))


async def _is_admitted(fa: Any) -> bool:
    client = await fa.reach()
    is_admitted = bool((await client.next())["type"] == "connection_established")
    await client.ws.close()
    return is_admitted


async def test_x_09_the_limits_of_this_door_are_its_own(fa: Any) -> None:
    """X-09: five connections here leave the other doors' alone, and theirs this one's."""
    streams = [await fa.cw.connect() for _ in range(8)]
    for _ in range(5):
        await fa.connect()
    streams.append(await fa.cw.connect())
    for stream in streams:
        await stream.send_json({"type": "ping"})
        while (await stream.receive_json(timeout=5))["type"] != "pong":
            pass


async def test_fa_43_other_users_have_connections_of_their_own(fa: Any) -> None:
    """FA-43."""
    for _ in range(5):
        await fa.connect()
    await fa.connect(key=await fa.cw.make_key("read", name="other"))


async def test_fa_44_the_eleventh_new_connection_in_a_minute_is_refused(fa: Any) -> None:
    """FA-44: counted per address; refused as any other, and told when to come again."""
    for _ in range(10):
        client = await fa.connect()
        await client.ws.close()
    late = await fa.reach()
    data = await late.hear("connection_error")
    assert (data["error_code"], data["close_code"]) == ("CONNECTION_LIMIT_EXCEEDED", 1008)
    assert 0 < data["retry_after"] <= 60
    assert await late.closed() == 1008


async def test_fa_44_47_the_fifty_first_connection_of_an_address_is_refused(run_cw: Any, door_of: Any) -> None:
    """FA-44, FA-47: fifty in development; the twenty of production are in the same place."""
    async with run_cw(apis=ROOMY) as cw:
        fa = door_of(cw)
        keys = [await cw.make_key("read", name=f"user-{n}") for n in range(6)]
        for n in range(50):
            await fa.connect(key=keys[n // 10])
        data = await (await fa.reach(key=keys[5])).hear("connection_error")
        assert data["error_code"] == "CONNECTION_LIMIT_EXCEEDED"


async def test_fa_47_development_allows_ten_connections_of_a_user(run_cw: Any, door_of: Any) -> None:
    """FA-47."""
    async with run_cw(apis=ROOMY) as cw:
        fa = door_of(cw)
        for _ in range(10):
            await fa.connect()
        assert (await (await fa.reach()).hear("connection_error"))["error_code"] == "CONNECTION_LIMIT_EXCEEDED"


def test_fa_44_47_the_figures_are_the_contracts() -> None:
    """FA-43 to FA-47."""
    production, development = ALLOWANCES["production"], ALLOWANCES["development"]
    assert production == (5, 20, (10, MINUTE), 100, 20, 65_536)
    assert development[:2] + development[3:] == (10, 50, 200, 50, 131_072)


@pytest.mark.parametrize("after", range(1, 60, 7))
def test_fa_53_a_client_that_reconnects_by_the_contract_is_not_locked_out_for_ever(after: int) -> None:
    """FA-53: at 1, 2, 4, 8, 16 s, again and again while its connections break; refusals do not count against it."""
    buckets = Buckets(ALLOWANCES["production"].connects)
    now, longest, last = 0, 0, 0
    for attempt in range(600):
        now += (1, 2, 4, 8, 16)[attempt % 5] * SECOND
        if not buckets.take("address", now):
            longest, last = max(longest, now - last), now
    assert longest <= 24 * SECOND
    now += after * SECOND
    assert buckets.wait("address", now) <= 6


async def test_fa_45_a_message_of_64_kb_is_taken_and_a_larger_one_ends_the_connection_with_1009(fa: Any) -> None:
    """FA-45."""
    client = await fa.connect()
    empty = '{"type":"ping","data":{"x":""}}'
    await client.ws.send_str(empty.replace('""', f'"{"x" * (65_536 - len(empty))}"'))
    await client.hear("pong")
    await client.ws.send_str(empty.replace('""', f'"{"x" * (65_537 - len(empty))}"'))
    assert await client.closed() == 1009


async def test_fa_47_development_takes_messages_of_128_kb(run_cw: Any, door_of: Any) -> None:
    """FA-47."""
    async with run_cw(apis=ROOMY) as cw:
        client = await door_of(cw).connect()
        empty = '{"type":"ping","data":{"x":""}}'
        await client.ws.send_str(empty.replace('""', f'"{"x" * (131_072 - len(empty))}"'))
        await client.hear("pong")


async def test_fa_41_the_ninety_fifth_message_is_warned_of(fa: Any) -> None:
    """FA-41."""
    client = await fa.connect()
    for _ in range(94):
        assert await client.until_pong() == []
    (warning,) = await client.until_pong()
    assert warning["type"] == "rate_limit_warning"
    data = warning["data"]
    assert {"limit_type", "current_usage", "limit", "reset_time", "recommended_action"} <= set(data)
    assert (data["limit_type"], data["current_usage"], data["limit"]) == ("messages_per_minute", 95, 100)
    assert 0 < parse_iso(data["reset_time"]) - fa.cw.clock.now().wall <= MINUTE


async def test_fa_42_what_goes_beyond_a_hundred_a_minute_is_refused_and_the_connection_stays(fa: Any) -> None:
    """FA-42, FA-50: broken messages count, too; refused ones do not."""
    client = await fa.connect()
    for _ in range(50):
        await client.ws.send_str("{")
        await client.say("ping")
    for _ in range(3):
        await client.say("ping")
        data = await client.hear("error")
        while data["error_code"] != "RATE_LIMIT_EXCEEDED":
            data = await client.hear("error")
        assert (data["limit_type"], data["current_usage"], data["limit"]) == ("messages_per_minute", 100, 100)
        assert 0 < data["retry_after"] <= 60
        assert 0 < parse_iso(data["reset_time"]) - fa.cw.clock.now().wall <= MINUTE
    assert client.types().count("pong") == 50
    assert not client.ws.closed
    other = await fa.connect()
    assert await other.until_pong() == []


async def test_fa_47_development_allows_two_hundred_messages(run_cw: Any, door_of: Any) -> None:
    """FA-47."""
    async with run_cw(apis=ROOMY) as cw:
        client = await door_of(cw).connect()
        for _ in range(200):
            await client.say("ping")
        await client.say("ping")
        data = await client.hear("error")
        assert (data["error_code"], data["limit"]) == ("RATE_LIMIT_EXCEEDED", 200)
        (warning,) = [message for message in client.heard if message["type"] == "rate_limit_warning"]
        assert warning["data"]["current_usage"] == 190


def test_fa_42_after_the_reset_time_there_is_room_again() -> None:
    """FA-42: in no minute more than a hundred, and all of them again a minute after."""
    messages = Messages(100)
    assert all(messages.take(now) for now in range(0, 10_000, 100))
    assert not messages.take(10_000)
    assert messages.until_room(10_000) == 50_000
    assert not messages.take(59_999)
    assert messages.take(60_000)
    assert not messages.take(60_099)
    assert all(messages.take(200_000) for _ in range(100))
    assert not messages.take(200_000)


async def test_fa_48_everybody_is_told_of_the_pool_of_their_users_connections(
    monkeypatch: pytest.MonkeyPatch, fa: Any
) -> None:
    """FA-48: a moment after it has changed, and when they ask."""
    monkeypatch.setattr(pools, "SETTLING", 0.05)
    stranger = await fa.connect(key=await fa.cw.make_key("read", name="stranger"))
    mine = [await fa.connect() for _ in range(3)]
    for client in mine:
        while (pool := await client.hear("connection_pool_info"))["active_connections"] < 3:
            pass
        assert pool == {
            "pool_id": pool["pool_id"], "active_connections": 3, "max_connections": 5, "pool_utilization": 0.6,
        }
    await mine[0].ws.close()
    assert (await mine[1].hear("connection_pool_info"))["active_connections"] == 2
    await mine[1].say("connection_pool_info")
    assert (await mine[1].hear("connection_pool_info"))["pool_utilization"] == 0.4
    theirs = await stranger.hear("connection_pool_info")
    assert theirs["active_connections"] == 1
    assert theirs["pool_id"] != pool["pool_id"]


async def test_fa_54_a_slow_reader_is_disconnected_and_nobody_else_notices(fa: Any) -> None:
    """FA-54: once more than `buffer_size` messages wait for it."""
    reader, writer = await connect_and_never_read(fa, (CONFIGURE, SUBSCRIBE))
    quick = await fa.connect()
    for message in (CONFIGURE, SUBSCRIBE):
        await quick.ws.send_str(message)
    assert (await quick.hear("configuration_updated"))["buffer_size"] == 5
    await quick.hear("subscription_confirmed")
    entity = {"op": "created", "entityId": "e", "properties": {"x": "x" * 7_000}}
    for _ in range(40):
        await fa.cw.post("/api/events", [{"agentId": "a", "type": "entity", "data": entity}] * 50)
        for _ in range(50):
            await quick.hear("entity_created")
    told = await asyncio.wait_for(reader.read(-1), 5)
    assert told.endswith(b"\x03\xf5too slow a reader")  # 1013
    assert told.count(b'"type":"entity_created"') < 2_000
    writer.close()


CONFIGURE = '{"type":"configure","data":{"buffer_size":5}}'
SUBSCRIBE = '{"type":"subscribe","data":{"events":["entity_created"]}}'


async def connect_and_never_read(fa: Any, messages: Iterable[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client with small buffers that says these messages, and leaves lying what it is told."""
    url = URL(fa.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=16 * 1024)
    writer.write(
        f"GET {url.path}?token={fa.cw.key} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        .encode()
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    for message in messages:
        writer.write(bytes((0x81, 0x80 | len(message))) + bytes(4) + message.encode())  # masked with zeros
    return reader, writer


async def test_nothing_is_left_of_clients_that_come_and_go(fa: Any) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(8):
        client = await fa.connect()
        await client.subscribe("agent_status", "metrics", agents=["a"])
        await client.say("command", agent_id="a", command="stop")
        await client.ws.close()

    async def is_quiet() -> bool:
        return len(asyncio.all_tasks()) <= before + 2  # the door's own, which began with the first client

    await fa.cw.eventually(is_quiet)
