"""``/ws`` with ``replay``: a recording is told instead of what is now, marked as such and never mixed with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clawatch_plugins.clawatch import replayed_steps

NODE = "4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"
LINES = [
    {"kind": "recording", "node_id": NODE, "run_id": "r", "started_at": "2026-03-09T03:00:00Z", "tick_seconds": 60},
    {"kind": "agent", "agent_id": "bot", "segment": "bots"},
    *({"kind": "tick", "tick": tick, "metrics": {"stuck": int(tick >= 12)}} for tick in range(20)),
    {"kind": "step", "tick": 0, "agent_id": "bot", "state": {"status": "running"}},
    {"kind": "step", "tick": 12, "agent_id": "bot", "state": {"status": "stuck"}, "action": "asked to pause"},
    {"kind": "step", "tick": 3, "agent_id": "other", "state": {"status": "idle"}},
    {"kind": "event", "tick": 12, "type": "alert_fired", "source": "stuck", "description": "silent"},
    {"kind": "end"},
]


@pytest.fixture
async def recorded(cw: Any) -> Any:
    body = "".join(json.dumps(line) + "\n" for line in LINES)
    answer = await cw.ask("POST", "/api/recordings", data=body.encode())
    assert answer.status == 201, answer
    return answer.body


async def replayed(ws: Any, **wanted: Any) -> list[Any]:
    """All frames of a replay, to its end."""
    await ws.send_json({"type": "subscribe", **wanted})
    frames = []
    while not frames or frames[-1]["type"] not in ("replay_ended", "error"):
        frames.append(await ws.receive_json(timeout=5))
    return frames


async def test_a_recording_is_told_tick_by_tick(cw: Any, recorded: Any) -> None:
    ws = await cw.connect()
    frames = await replayed(ws, replay={"node": NODE, "speed": 100_000})
    assert frames[0]["type"] == "replay_started"
    assert (frames[0]["data"]["totalTicks"], frames[0]["data"]["tickSeconds"]) == (19, 60)
    assert {frame["replay"] for frame in frames} == {True}
    ticks = [frame for frame in frames if frame["type"] == "replay_tick"]
    assert [frame["data"]["metrics"]["stuck"] for frame in ticks] == [0] * 12 + [1] * 8
    assert ticks[12]["timestamp"] == "2026-03-09T03:12:00.000Z"
    at_twelve = [frame["type"] for frame in frames if frame["tick"] == 12]
    assert at_twelve == ["replay_step", "replay_tick", "replay_event"]


async def test_it_is_never_mixed_with_what_is_now(cw: Any, recorded: Any) -> None:
    ws = await cw.connect()
    await ws.send_json({"type": "subscribe", "replay": {"node": NODE, "speed": 6_000}})  # a fifth of a second in all
    frames: list[Any] = []
    while not frames or frames[-1]["type"] != "replay_ended":
        frames.append(await ws.receive_json(timeout=5))
        await cw.say("now")
    assert {frame["type"].partition("_")[0] for frame in frames} == {"replay"}
    await cw.say("now")
    await ws.send_json({"type": "subscribe"})
    assert (await ws.receive_json(timeout=5))["type"] == "subscribed"
    await cw.say("now", n=1)
    while (frame := await ws.receive_json(timeout=5))["type"] != "event":
        assert "replay" not in frame
    assert frame["data"]["agentId"] == "now"


async def test_one_begins_in_the_middle_with_how_agents_stand(cw: Any, recorded: Any) -> None:
    ws = await cw.connect()
    frames = await replayed(ws, replay={"node": recorded["id"], "speed": 100_000, "from": 10, "to": 13})
    steps = [(f["data"]["agentId"], f["tick"], f["data"]["state"]["status"]) for f in frames if "state" in f["data"]]
    assert steps == [("bot", 0, "running"), ("other", 3, "idle"), ("bot", 12, "stuck")]
    assert [frame["tick"] for frame in frames if frame["type"] == "replay_tick"] == [10, 11, 12, 13]


async def test_one_asks_for_some_agents_and_topics(cw: Any, recorded: Any) -> None:
    ws = await cw.connect()
    frames = await replayed(ws, agents=["o*"], topics=["agents"], replay={"node": NODE, "speed": 100_000})
    kinds = {frame["type"] for frame in frames}
    assert kinds == {"replay_started", "replay_step", "replay_tick", "replay_ended"}
    assert {frame["data"].get("agentId") for frame in frames if frame["type"] == "replay_step"} == {"other"}


async def test_of_very_many_steps_only_those_of_named_agents_are_told(
    cw: Any, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayed_steps, "MOST_STEPS", 2)
    ws = await cw.connect()
    frames = await replayed(ws, replay={"node": NODE, "speed": 100_000})
    assert (frames[0]["data"]["steps"], [f for f in frames if f["type"] == "replay_step"]) == (False, [])
    frames = await replayed(ws, agents=["bot", "nobody"], replay={"node": NODE, "speed": 100_000, "from": 5})
    steps = [(f["data"]["agentId"], f["tick"]) for f in frames if f["type"] == "replay_step"]
    assert (frames[0]["data"]["steps"], steps) == (True, [("bot", 0), ("bot", 12)])


@pytest.mark.parametrize("replay", [
    {"node": "00000000-0000-0000-0000-000000000000"}, {"node": NODE, "speed": 0}, {"node": NODE, "from": 20},
    {"node": NODE, "from": 5, "to": 4}, {"node": NODE, "from": -1}, {}, "x", {"node": NODE, "speed": "fast"},
])  # fmt: skip
async def test_what_cannot_be_replayed_is_refused_and_the_stream_goes_on(cw: Any, recorded: Any, replay: Any) -> None:
    ws = await cw.connect()
    await ws.send_json({"type": "subscribe", "replay": replay})
    assert (await ws.receive_json(timeout=5))["type"] == "error"
    await cw.say("now")
    while (await ws.receive_json(timeout=5))["type"] != "event":
        pass


async def test_whose_recording_it_is_not_cannot_replay_it(cw: Any, recorded: Any) -> None:
    ws = await cw.connect(key=await cw.make_key("read", agents=["a"]))
    [error] = await replayed(ws, replay={"node": NODE})
    assert error["type"] == "error"
