"""ClawdNet, CN-08 to CN-15, CN-20, CN-43: what bots say, what dashboards are told, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from clawatch.domain.time import iso

SECRET = "ghp_" + "Ab3" * 12


@pytest.mark.parametrize("type", ["metrics", "skills", "status", "error"])
async def test_cn_08_10_11_12_a_frame_reaches_dashboards_unchanged(door: Any, frames: Any, type: str) -> None:
    """CN-08, CN-10, CN-11, CN-12: the contract's own examples."""
    bot, dashboard = await door.pair()
    await bot.ws.send_json(frames[type])
    assert await dashboard.next() == frames[type]
    assert [agent["id"] for agent in (await door.cw.get("/api/agents"))["agents"]] == ["agent_abc123"]


async def test_cn_08_frames_come_in_the_order_they_were_said(door: Any, frames: Any) -> None:
    bot, dashboard = await door.pair()
    said = list(frames.values())
    for frame in said:
        await bot.ws.send_json(frame)
    await bot.until_pong()
    told = await dashboard.until_pong()
    assert [frame for frame in told if frame in said] == said


async def test_cn_09_partial_metrics_and_ones_of_ones_own_are_taken(door: Any) -> None:
    """CN-09: numbers, all of them optional."""
    bot, dashboard = await door.pair()
    for data in ({"memory_mb": 256.5}, {}, {"messages_1h": 0, "queue_depth": -3}):
        await bot.say("metrics", agent_id="a", data=data)
        assert (await dashboard.hear("metrics"))["data"] == data


@pytest.mark.parametrize("data", [
    {"messages_1h": "142"}, {"messages_1h": None}, {"messages_1h": True}, {"messages_1h": [1]}, {"cpu_percent": {}},
    {"messages_24h": -1}, {"memory_mb": 10**400}, {"memory_mb": 1e300}, {"": 1}, {"x" * 500: 1}, None, [], "metrics",
    {f"m{n}": n for n in range(101)},
])  # fmt: skip
async def test_cn_09_43_metrics_that_are_no_numbers_are_refused_and_not_stored(door: Any, data: Any) -> None:
    """CN-43: nor told to anybody."""
    bot, dashboard = await door.pair()
    await bot.say("metrics", agent_id="a", data=data)
    assert await bot.refused() == "invalid"
    assert await dashboard.until_pong() == []
    assert (await door.cw.get("/api/agents"))["agents"] == []


@pytest.mark.parametrize("told", [
    {"revenue_1h": 0.9}, {"revenue_1h": "a lot"}, {"revenue_1h": "-1"}, {"revenue_1h": "1e3"}, {"revenue_1h": ""},
    {"revenue_1h": "0.1234567891"}, {"calls_1h": "45"}, {"calls_1h": 4.5}, {"calls_1h": True}, {"calls_1h": -1},
    {"avg_latency_ms": "fast"}, {"avg_latency_ms": -1}, {"more": "words"}, [], None, 7,
])  # fmt: skip
async def test_cn_10_43_skills_have_whole_calls_and_amounts_in_strings(door: Any, told: Any) -> None:
    """CN-10, CN-43: revenue is a string, and exact."""
    bot = await door.enter()
    await bot.say("skills", agent_id="a", data={"draw": told})
    assert await bot.refused() == "invalid"
    assert (await door.cw.get("/api/agents"))["agents"] == []


@pytest.mark.parametrize("word", ["online", "busy", "offline", "pending"])
async def test_cn_11_every_word_for_a_status_is_taken(door: Any, word: str) -> None:
    """CN-11: at the top level of the frame, not in data."""
    bot, dashboard = await door.pair()
    await bot.say("status", agent_id="a", status=word)
    assert (await dashboard.next())["status"] == word
    assert await dashboard.until_pong() == []
    shown = {"online": "running", "busy": "running", "offline": "stopped", "pending": "stopped"}
    assert (await door.cw.agent())["status"] == shown[word]


@pytest.mark.parametrize("frame", [{}, {"status": "running"}, {"status": 1}, {"data": {"status": "online"}}])
async def test_cn_11_other_words_are_refused_naming_the_accepted(door: Any, frame: Any) -> None:
    """CN-11, X-02: no dashboard is ever told a foreign one."""
    bot, dashboard = await door.pair()
    await bot.say("status", agent_id="a", **frame)
    assert await bot.refused() == "invalid"
    assert "online, busy, offline or pending" in bot.heard[-1]["data"]["message"]
    assert await dashboard.until_pong() == []


async def test_cn_12_an_error_counts_for_its_agent(door: Any, frames: Any) -> None:
    """CN-12: it is an error event like any other, and ends with the next sign of work."""
    bot = await door.enter()
    await bot.ws.send_json(frames["error"] | {"agent_id": "a", "timestamp": None})
    await bot.until_pong()
    agent = await door.cw.agent()
    assert (agent["errorCount"], agent["status"]) == (1, "error")
    [event] = agent["recentEvents"]
    assert (event["type"], event["data"]["message"], event["source"]) == ("error", "Model timeout", "clawdnet")
    await bot.say("metrics", agent_id="a", data={"messages_1h": 1})
    await bot.until_pong()
    assert (await door.cw.agent())["status"] == "running"


@pytest.mark.parametrize("data", [
    {}, None, "boom", {"message": 7}, {"error_type": None, "message": "x"}, {"message": "x", "more": {"deep": 1}},
    {"skill": "draw"},
])  # fmt: skip
async def test_cn_12_43_errors_without_words_are_refused(door: Any, data: Any) -> None:
    bot = await door.enter()
    await bot.say("error", agent_id="a", data=data)
    assert await bot.refused() == "invalid"


async def test_cn_13_errors_of_the_protocol_have_data_and_no_agent(door: Any) -> None:
    """CN-13: so that ``showAlert(msg.agent_id, msg.data)`` shows something, and shows it of nobody."""
    bot = await door.enter()
    await bot.say("nonsense")
    error = await bot.next()
    assert set(error) == {"type", "timestamp", "data"}
    assert set(error["data"]) == {"error_type", "message"}


@pytest.mark.parametrize(("said", "told"), [
    ("2026-01-30T12:00:00Z", "2026-01-30T12:00:00Z"),
    ("2026-01-30T12:00:00.120Z", "2026-01-30T12:00:00.120Z"),
    ("2026-01-30T12:00:00.123456Z", "2026-01-30T12:00:00.123456Z"),
    ("2026-01-30T13:00:00+01:00", "2026-01-30T12:00:00.000Z"),
    ("2026-01-30", "2026-01-30T00:00:00.000Z"),
])  # fmt: skip
async def test_cn_14_timestamps_are_told_in_utc(door: Any, said: str, told: str) -> None:
    """CN-14, X-08."""
    bot, dashboard = await door.pair()
    await bot.say("metrics", agent_id="a", timestamp=said, data={"messages_1h": 1})
    assert (await dashboard.next())["timestamp"] == told


async def test_cn_14_a_missing_timestamp_is_filled_in(door: Any) -> None:
    bot, dashboard = await door.pair()
    await bot.say("metrics", agent_id="a", data={"messages_1h": 1})
    assert (await dashboard.next())["timestamp"] == iso(door.cw.clock.now().wall)


@pytest.mark.parametrize("said", ["yesterday", 1769774400, "", [], "0000-01-01T00:00:00Z", "2026-13-01T00:00:00Z"])
async def test_cn_14_a_timestamp_that_is_none_is_refused(door: Any, said: Any) -> None:
    bot = await door.enter()
    await bot.say("metrics", agent_id="a", timestamp=said, data={"messages_1h": 1})
    assert await bot.refused() == "invalid"


@pytest.mark.parametrize("type", ["metrics", "skills", "status", "error"])
async def test_cn_15_a_frame_for_a_foreign_agent_is_refused_and_not_told(door: Any, frames: Any, type: str) -> None:
    """CN-15: nor stored; the connection stays."""
    bot, dashboard = await door.pair(await door.cw.make_key("ingest", "read", agents=["mine-*"]))
    await bot.ws.send_json(frames[type])
    assert await bot.refused() == "forbidden"
    assert await dashboard.until_pong() == []
    assert await bot.until_pong() == []
    assert (await door.cw.get("/api/agents"))["agents"] == []


async def test_cn_15_a_key_that_may_only_read_sends_nothing(door: Any, frames: Any) -> None:
    reader = await door.enter(await door.cw.make_key("read"))
    await reader.ws.send_json(frames["metrics"])
    assert await reader.refused() == "forbidden"


async def test_a_key_that_may_only_write_hears_nothing(door: Any) -> None:
    writer = await door.enter(await door.cw.make_key("ingest"))
    await door.cw.say("a", "metrics", messages_1h=1)
    await door.cw.post("/api/agents/a/pause")
    assert await writer.until_pong() == []
    await writer.say("subscribe", agent_id="a")
    assert await writer.refused() == "forbidden"


@pytest.mark.parametrize("agent_id", [None, 7, "", "x" * 201, "a\nb"])
async def test_an_agent_needs_a_name(door: Any, agent_id: Any) -> None:
    bot = await door.enter()
    await bot.say("metrics", agent_id=agent_id, data={"messages_1h": 1})
    assert await bot.refused() == "invalid"


async def test_cn_20_a_producer_does_not_hear_its_own_frames(door: Any, frames: Any) -> None:
    """CN-20: nor what they make of its status; but those of another connection of the same user."""
    bot, other = await door.pair()
    for frame in frames.values():
        await bot.ws.send_json(frame)
    assert await bot.until_pong() == []
    await other.say("metrics", agent_id="agent_abc123", data={"messages_1h": 1})
    assert (await bot.hear("metrics"))["data"] == {"messages_1h": 1}


async def test_a_secret_in_a_frame_is_told_to_nobody(door: Any) -> None:
    bot, dashboard = await door.pair()
    await bot.say("error", agent_id="a", data={"message": f"refused {SECRET}", SECRET: 1})
    frame = await dashboard.next()
    assert frame["type"] == "error"
    assert SECRET not in str(frame)


async def test_frames_are_events_like_any_others(door: Any, frames: Any) -> None:
    """X-01: what comes in by this door is seen by all."""
    bot = await door.enter()
    for frame in frames.values():
        await bot.ws.send_json(frame)
    await bot.until_pong()
    events = (await door.cw.get("/api/events"))["events"]
    assert [event["type"] for event in reversed(events)] == ["metrics", "metrics", "status_change", "error"]
    assert {event["timestamp"] for event in events} == {"2026-01-30T12:00:00.000Z"}
