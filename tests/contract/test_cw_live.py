"""``/ws``: the live stream of the ClaWatch API, by cursor, with nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from clawatch_plugins.clawatch import stream
from yarl import URL

BEAT = {"agentId": "a", "type": "heartbeat"}


async def hear(ws: ClientWebSocketResponse, *kinds: str) -> Any:
    """The next message of one of these types."""
    while True:
        message = await ws.receive_json(timeout=5)
        if not kinds or message["type"] in kinds:
            return message


async def subscribe(ws: ClientWebSocketResponse, **wanted: Any) -> Any:
    await ws.send_json({"type": "subscribe", **wanted})
    return await hear(ws, "subscribed", "error")


async def numbers(ws: ClientWebSocketResponse, count: int) -> list[int]:
    return [(await hear(ws, "event"))["data"]["data"]["n"] for _ in range(count)]


def counted(first: int, last: int, agent_id: str = "a") -> list[dict[str, Any]]:
    return [{"agentId": agent_id, "type": "heartbeat", "data": {"n": n}} for n in range(first, last)]


@pytest.mark.parametrize("way", ["header", "query", "first frame"])
async def test_a_client_authenticates_by_header_query_or_first_frame(cw: Any, way: str) -> None:
    ws = await cw.connect(key="" if way == "header" else None, query=f"?token={cw.key}" if way == "query" else "")
    if way == "first frame":
        await ws.send_json({"type": "auth", "token": cw.key})
    assert (await subscribe(ws))["type"] == "subscribed"


@pytest.mark.parametrize("first", [{"type": "auth", "token": "wrong"}, {"type": "subscribe"}, {"type": "auth"}, []])
async def test_who_does_not_authenticate_first_is_told_and_closed(cw: Any, first: Any) -> None:
    ws = await cw.connect(key=None)
    await ws.send_json(first)
    assert (await hear(ws))["type"] == "error"
    assert (await ws.receive(timeout=5)).type is WSMsgType.CLOSE
    assert ws.close_code == 1008


async def test_a_key_without_read_is_told_and_closed(cw: Any) -> None:
    ws = await cw.connect(key=await cw.make_key("ingest"))
    assert "read" in (await hear(ws, "error"))["error"]
    assert (await ws.receive(timeout=5)).data == 1008


async def test_who_never_subscribes_gets_everything_from_now_on(cw: Any) -> None:
    await cw.say("a", n=0)
    ws = await cw.connect()
    await ws.send_json({"type": "ping"})
    await hear(ws, "pong")
    await cw.say("a", n=1)
    agent, event = await hear(ws), await hear(ws)
    shown = await cw.agent()
    assert (event["type"], event["data"]) == ("event", shown.pop("recentEvents")[0])
    assert (agent["type"], agent["data"]) == ("agent", shown)
    assert {"cursor", "timestamp"} <= event.keys()
    await cw.post("/api/agents/a/pause")
    command = await hear(ws, "command")
    assert command["data"] == (await cw.get("/api/commands"))["commands"][0]
    alert = await cw.alert()
    told = await hear(ws, "alert")
    assert told["data"] == await cw.get(f"/api/alerts/{alert['id']}")
    await cw.say("a", "run", runId="r", status="running")
    assert (await hear(ws, "run"))["data"] == await cw.get("/api/runs/r")


async def test_from_a_cursor_on_nothing_is_missing_and_nothing_twice(cw: Any) -> None:
    await cw.post("/api/events", counted(0, 3))
    cursor = (await cw.get("/api/system"))["cursor"]
    await cw.post("/api/events", counted(3, 700))
    ws = await cw.connect()
    posting = asyncio.create_task(cw.post("/api/events", counted(700, 1500)))
    assert (await subscribe(ws, topics=["events"], cursor=cursor))["cursor"] == cursor
    assert await numbers(ws, 1497) == list(range(3, 1500))
    await posting


async def test_a_client_goes_on_where_it_was_cut_off(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, topics=["events"])
    await cw.post("/api/events", counted(0, 10))
    for _ in range(4):
        last = await hear(ws, "event")
    await ws.close()
    await cw.post("/api/events", counted(10, 20))
    again = await cw.connect()
    await subscribe(again, topics=["events"], cursor=last["cursor"])
    assert await numbers(again, 16) == list(range(4, 20))


async def test_subscribing_anew_in_the_middle_loses_and_repeats_nothing(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, topics=["events"])
    posting = asyncio.create_task(cw.post("/api/events", counted(0, 900)))
    seen = await numbers(ws, 100)
    await ws.send_json({"type": "subscribe", "topics": ["events"]})
    seen += await numbers(ws, 800)
    assert seen == list(range(900))
    await posting


async def test_more_at_once_than_the_bus_holds_is_still_told(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, topics=["events"])
    await asyncio.gather(*(cw.post("/api/events", counted(0, 1000, f"a{n}")) for n in range(4)))
    seen: dict[str, list[int]] = {}
    for _ in range(4000):
        event = (await hear(ws, "event"))["data"]
        seen.setdefault(event["agentId"], []).append(event["data"]["n"])
    assert seen == {f"a{n}": list(range(1000)) for n in range(4)}


@pytest.mark.parametrize("cursor", ["nonsense", "other.1", "", "x.99999999999999999999", "\x00", "a" * 1000])
async def test_an_unknown_cursor_is_answered_with_reset(cw: Any, cursor: str) -> None:
    ws = await cw.connect()
    await ws.send_json({"type": "subscribe", "cursor": cursor})
    reset = await hear(ws)
    assert (reset["type"], reset["cursor"]) == ("reset", (await cw.get("/api/system"))["cursor"])
    assert (await hear(ws))["type"] == "subscribed"
    await cw.say("a", n=1)
    assert await numbers(ws, 1) == [1]


async def test_a_cursor_beyond_the_head_is_answered_with_reset(cw: Any) -> None:
    store = (await cw.get("/api/system"))["cursor"].partition(".")[0]
    ws = await cw.connect()
    await ws.send_json({"type": "subscribe", "cursor": f"{store}.12345"})
    assert (await hear(ws))["type"] == "reset"


async def test_topics_types_and_agents_choose(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, agents=["build-*", "exact"], topics=["events"], types=["error", "cost"])
    for agent_id in ("build-1", "other", "exact"):
        await cw.say(agent_id, "heartbeat")
        await cw.say(agent_id, "error", error="boom")
        await cw.say(agent_id, "cost", costUsd=1)
    told = [(await hear(ws))["data"] for _ in range(4)]
    assert [(event["agentId"], event["type"]) for event in told] == [
        ("build-1", "error"), ("build-1", "cost"), ("exact", "error"), ("exact", "cost"),
    ]


async def test_a_key_hears_only_of_the_agents_it_may_see(cw: Any) -> None:
    ws = await cw.connect(key=await cw.make_key("read", agents=["mine-*"]))
    await subscribe(ws, agents=["*"])
    await cw.say("yours")
    await cw.say("mine-1")
    told = [await hear(ws) for _ in range(2)]
    assert {message["data"].get("agentId", message["data"].get("id")) for message in told} == {"mine-1"}


async def test_an_agent_that_spoke_often_at_once_is_shown_once(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, topics=["agents"])
    # Nothing that an alert would be raised for: it would show the agent once more.
    await cw.post("/api/events", [{"agentId": "a", "type": "cost", "data": {"costUsd": 0.01}}] * 100)
    assert (await hear(ws))["data"]["costUsd"] == 1.0
    await cw.say("b")
    assert (await hear(ws))["data"]["id"] == "b"


async def test_an_event_that_a_later_report_completes_is_told_again_under_its_seq(cw: Any) -> None:
    ws = await cw.connect()
    await subscribe(ws, topics=["events"])
    call = {"agentId": "a", "type": "tool_call", "sessionId": "s", "callId": "c"}
    await cw.post("/api/events", {**call, "data": {"toolName": "exec"}})
    again = await cw.post("/api/events", {**call, "data": {"toolName": "exec", "ok": False, "costUsd": 1}})
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    first, completed = (await hear(ws))["data"], (await hear(ws))["data"]
    assert first["seq"] == completed["seq"]
    assert completed["data"] == {"toolName": "exec", "ok": False, "costUsd": 1, "tokenCount": 0}
    assert (await cw.get("/api/events"))["events"] == [completed]


async def test_a_removed_agent_is_told_as_deleted(cw: Any) -> None:
    await cw.say()
    ws = await cw.connect()
    await subscribe(ws, topics=["agents"])
    await cw.ask("DELETE", "/api/agents/a")
    assert (await hear(ws))["data"] == {"id": "a", "deleted": True}


@pytest.mark.parametrize(
    "frame",
    ["nonsense", "[]", "5", "null", '{"type":5}', '{"type":"dance"}', '{"type":"subscribe","topics":["odd"]}',
     '{"type":"subscribe","agents":"a"}', '{"type":"subscribe","types":["odd"]}', '{"type":"subscribe","cursor":5}',
     "[" * 5000, '{"type":"subscribe","agents":["' + "x" * 300 + '"]}'],
)
async def test_a_frame_that_makes_no_sense_is_answered_and_the_connection_stays(cw: Any, frame: str) -> None:
    ws = await cw.connect()
    await ws.send_str(frame)
    error = await hear(ws)
    assert error["type"] == "error"
    assert isinstance(error["error"], str)
    await ws.send_json({"type": "ping"})
    assert (await hear(ws)).keys() == {"type", "timestamp"}


async def open_and_never_read(cw: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client with small buffers that asks for the stream and leaves it lying."""
    url = URL(cw.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=16 * 1024)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-ClaWatch-Key: {cw.key}\r\n\r\n"
        .encode()
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_reader_who_takes_nothing_is_closed_with_4008_and_the_others_hear_on(
    cw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STALL", 0.1)
    reader, writer = await open_and_never_read(cw)
    quick = await cw.connect()
    await subscribe(quick, topics=["events"])
    event = {**BEAT, "data": {"message": "x " * 3_900}}
    for _ in range(10):
        await cw.post("/api/events", [event] * 100)
        for _ in range(100):
            await hear(quick, "event")
    read = bytearray()
    async with asyncio.timeout(10):
        while piece := await reader.read(1 << 20):
            read += piece
    assert b"\x88" in read[-130:]
    assert (4008).to_bytes(2, "big") in read[-130:]
    writer.close()
    assert (await subscribe(quick))["type"] == "subscribed"
