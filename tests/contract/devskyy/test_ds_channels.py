"""The five channels: who may listen, what is said there, and that nothing else is."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType
from clawatch_plugins.devskyy.translation import CHANNELS
from clawatch_plugins.devskyy.words import WORD_OF

from clawatch.domain.agents import Status

VERCEL = "https://devskyy-dashboard.vercel.app"
PREVIEW = "https://devskyy-git-roses.vercel.app"
DEV_PAGE = "http://localhost:3000"
WORDS = {"running", "completed", "error", "idle", "learning"}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("prefix", ["/api/ws", "/ws"])
async def test_every_channel_answers_a_ping_and_greets_nobody(ds: Any, channel: str, prefix: str) -> None:
    """DS-01, DS-02, DS-04, DS-05, DS-57: no key is needed here, and the first frame is the pong."""
    listener = await ds.listen(channel, prefix=prefix)
    assert await listener.ping(extra={"anything": 1}) == []
    assert set(listener.heard[-1]) == {"type", "timestamp"}


@pytest.mark.parametrize("channel", ["", "nothing", "agents2", "AGENTS", "%00", "agents%2F.."])
async def test_an_unknown_channel_is_accepted_and_closed_with_4004(ds: Any, channel: str) -> None:
    """DS-03"""
    if channel == "":
        assert (await ds.ask("GET", "/api/ws/")).status == 404
        return
    assert await (await ds.listen(channel)).closed() == 4004


@pytest.mark.parametrize("said", ["{", "null", "[]", '"ping"', '{"type": 7}', '{"type": "dance"}', "\udc80", ""])
async def test_nonsense_is_answered_and_the_connection_stays(ds: Any, said: str) -> None:
    """DS-17"""
    listener = await ds.listen("agents")
    await listener.ws.send_frame(said.encode("utf-8", "surrogatepass"), WSMsgType.BINARY)
    frame = await listener.hear(type="error")
    assert (frame["error_type"], isinstance(frame["message"], str)) == ("warning", True)
    assert await listener.ping() == []


@pytest.mark.parametrize("filters", [{"agent_type": "commerce"}, {}, None, [1], {"agent_type": 3}, {"more": "later"}])
async def test_a_subscribe_is_heard_without_complaint(ds: Any, filters: Any) -> None:
    """DS-06"""
    listener = await ds.listen("agents")
    await listener.ws.send_json({"type": "subscribe", "filters": filters})
    assert await listener.ping() == []


async def test_a_filter_leaves_out_agents_of_other_types(ds: Any) -> None:
    """DS-06: what the contract promises for later works now."""
    listener = await ds.listen("agents")
    await listener.ws.send_json({"type": "subscribe", "filters": {"agent_type": "commerce"}})
    await listener.ping()
    await ds.worker("creative")
    await ds.worker("commerce")
    assert (await listener.next())["agent_id"] == "commerce-001"


async def test_an_agents_status_is_told_with_what_it_works_on(ds: Any) -> None:
    """DS-07, DS-08, DS-31, DS-41: at work, completed, and then how it stands."""
    worker = await ds.worker("commerce")
    listener = await ds.ready("agents")
    done = await ds.post("/api/v1/agents/commerce/execute", {"task": "Create a product " + "x" * 200})
    frame = await listener.hear(type="agent_status_update")
    assert set(frame) == {"type", "agent_id", "status", "data", "timestamp"}
    assert set(frame["data"]) == {"agent_type", "task_id", "prompt_preview", "started_at"}
    assert (frame["agent_id"], frame["status"]) == ("commerce-001", "running")
    assert (frame["data"]["agent_type"], frame["data"]["task_id"]) == ("commerce", done["task_id"])
    assert frame["data"]["prompt_preview"] == "Create a product " + "x" * 83 + "..."
    command = await worker.take()
    frame = await listener.hear(status="running")
    assert frame["data"]["started_at"].endswith("Z")
    await worker.answer(command)
    assert (await listener.hear(status="completed"))["data"]["task_id"] == done["task_id"]
    frame = await listener.next()
    assert (frame["status"], frame["data"]["task_id"]) == ("running", None)


async def test_an_agent_that_fails_or_errs_is_told_as_such(ds: Any) -> None:
    """DS-08, DS-14"""
    worker = await ds.worker("commerce")
    listener, tasks = await ds.ready("agents"), await ds.ready("tasks")
    task = await ds.submit()
    await worker.answer(await worker.take(), state="failed", message="Network timeout")
    assert (await listener.hear(status="error"))["data"]["task_id"] == task["taskId"]
    frame = await tasks.hear(type="error")
    assert (frame["error_type"], "Network timeout" in frame["message"]) == ("error", True)
    await ds.cw.say("commerce-001", "error", error="Network timeout\x1b[2J<script>")
    frame = await listener.hear(type="error")
    assert frame["message"] == "Agent commerce-001 failed: Network timeout [2J<script>"


async def test_alerts_are_told_as_errors_and_warnings_on_the_agents_channel(ds: Any) -> None:
    """DS-14: error, warning and info come from alerts of these levels."""
    listener = await ds.ready("agents")
    await ds.cw.say("spender", "cost", costUsd=5, model="gpt-4o")
    await ds.cw.settle()
    assert (await listener.hear(type="error"))["error_type"] == "info"
    await ds.cw.say("spender", "cost", costUsd=6, model="gpt-4o")
    await ds.cw.settle()
    assert (await listener.hear(type="error"))["error_type"] == "warning"
    await ds.cw.alert("failing")
    kinds = [(await listener.hear(type="error"))["error_type"] for _ in range(5)]
    assert kinds == ["error"] * 5


async def test_tasks_are_told_from_pending_to_their_end(ds: Any) -> None:
    """DS-09, DS-41"""
    listener = await ds.ready("tasks")
    task = await ds.submit()
    frame = await listener.hear(type="task_update")
    assert set(frame) == {"type", "task_id", "status", "progress", "data", "timestamp"}
    assert frame["data"] == {"agent_id": None, "agent_type": "commerce"}
    worker = await ds.worker("commerce")
    command = await worker.take()
    await listener.hear(status="running")
    await worker.report(task["taskId"], progress=0.45)
    frame = await listener.hear(progress=45.0)
    assert (frame["status"], isinstance(frame["progress"], float)) == ("running", True)
    assert frame["data"] == {"agent_id": "commerce-001", "agent_type": "commerce"}
    await worker.answer(command, {"result": "done"})
    frame = await listener.hear(status="completed")
    assert frame["progress"] == 100.0
    told = [(f["status"], f["progress"]) for f in listener.heard if f["type"] == "task_update"]
    assert list(dict.fromkeys(told)) == [
        ("pending", 0.0), ("running", 0.0), ("running", 45.0), ("completed", 100.0),
    ]  # fmt: skip


async def test_a_pipeline_is_told_with_its_stages(ds: Any) -> None:
    """DS-11: runs of the kind 3d_pipeline, by whichever way they are reported."""
    worker = await ds.worker("creative")
    listener = await ds.ready("3d_pipeline")
    about = {"prompt": "Victorian rose ring", "format": "glb"}
    stages = [("generating", 0.2), ("validating", 0.6), ("uploading", 0.9)]
    await worker.report("3d-1", kind="3d_pipeline", status="running", stage="a stage of its own", input=about)
    frame = await listener.next()
    assert set(frame) == {"type", "pipeline_id", "stage", "progress", "data", "timestamp"}
    assert (frame["type"], frame["stage"]) == ("pipeline_update", "generating")
    assert set(frame["data"]) == {"prompt", "format", "started_at"}
    assert (frame["data"]["prompt"], frame["data"]["format"]) == ("Victorian rose ring", "glb")
    for stage, progress in stages:
        await worker.report("3d-1", kind="3d_pipeline", stage=stage, progress=progress)
        assert (await listener.next()).items() >= {"stage": stage, "progress": progress * 100}.items()
    await worker.report("3d-1", kind="3d_pipeline", status="completed")
    assert (await listener.next()).items() >= {"stage": "completed", "progress": 100.0}.items()
    await worker.report("3d-2", kind="3d_pipeline", status="failed", error="too many polygons")
    assert (await listener.next())["stage"] == "failed"
    assert "too many polygons" in (await listener.hear(type="error"))["message"]


async def test_a_competition_is_told_stage_by_stage(ds: Any, competition: Any) -> None:
    """DS-10, DS-45: six entries, each stage once."""
    entrants, judge = await ds.table()
    listener = await ds.ready("round_table")
    done = await competition(ds, entrants, judge)
    await listener.hear(stage="completed")
    told = [frame for frame in listener.heard if frame["type"] == "competition_update"]
    assert [frame["stage"] for frame in told] == ["generating", "scoring", "ab_testing", "completed"]
    assert all(set(f) == {"type", "competition_id", "stage", "data", "timestamp"} for f in told)
    assert {frame["competition_id"] for frame in told} == {done["id"]}
    assert told[1]["data"]["entries_count"] == 6
    assert told[1]["data"]["scoring_started_at"].endswith("Z")
    assert told[3]["data"]["winner"] == "mistral"


async def test_a_stage_of_another_vocabulary_is_not_told(ds: Any) -> None:
    """DS-10, X-02"""
    listener = await ds.ready("round_table")
    worker = await ds.worker("other")
    await worker.report("c", kind="competition", status="running", stage="warming_up")
    await worker.report("c", kind="competition", stage="scoring")
    assert (await listener.next())["stage"] == "scoring"


async def test_what_belongs_to_one_channel_is_told_on_no_other(ds: Any, competition: Any) -> None:
    """DS-16"""
    kinds = {
        "agents": {"agent_status_update", "error"}, "round_table": {"competition_update", "error"},
        "tasks": {"task_update", "error"}, "3d_pipeline": {"pipeline_update", "error"},
        "metrics": {"metrics_update", "error"},
    }  # fmt: skip
    entrants, judge = await ds.table()
    listeners = {channel: await ds.ready(channel) for channel in CHANNELS}
    worker = await ds.worker("commerce")
    await ds.submit()
    await worker.answer(await worker.take(), state="failed")
    await worker.report("3d-1", kind="3d_pipeline", status="completed")
    await competition(ds, entrants, judge)
    for channel, listener in listeners.items():
        await listener.ping()
        told = {frame["type"] for frame in listener.heard} - {"pong"}
        assert told <= kinds[channel]
        assert told or channel == "metrics"


async def test_metrics_come_every_five_seconds_and_are_true(ds: Any) -> None:
    """DS-12, DS-13"""
    listener, other = await ds.listen("metrics"), await ds.listen("agents")
    busy = asyncio.create_task(_ask_again_and_again(ds))
    async with asyncio.timeout(12):
        frames, at = [], []
        while len(frames) < 2:
            frames.append(json.loads((await listener.ws.receive(timeout=12)).data))
            at.append(time.monotonic())
    busy.cancel()
    assert at[1] - at[0] == pytest.approx(5.0, abs=0.5)
    assert set(frames[1]) == {"type", "metrics", "timestamp"}
    metrics = frames[1]["metrics"]
    assert set(metrics) == {
        "timestamp", "cpu_percent", "memory_percent", "active_connections", "requests_per_second", "avg_latency_ms",
    }  # fmt: skip
    assert metrics["active_connections"] == 2
    assert metrics["requests_per_second"] == pytest.approx(10, abs=6)
    assert 0 < metrics["avg_latency_ms"] < 1000
    assert 0 <= metrics["cpu_percent"] <= 100
    assert 0 < metrics["memory_percent"] < 100
    assert not other.ws.closed


async def _ask_again_and_again(ds: Any) -> None:
    while True:
        await ds.get("/api/v1/agents")
        await asyncio.sleep(0.1)


async def test_a_quiet_connection_is_told_that_it_stands(run_ds: Any) -> None:
    """DS-15"""
    async with run_ds(apis={"devskyy": {"keepalive": "200ms"}}) as ds:
        listener = await ds.listen("tasks")
        frames = [await listener.next() for _ in range(2)]
    assert frames == [{"type": "keepalive", "timestamp": frame["timestamp"]} for frame in frames]


async def test_a_change_is_told_within_a_tenth_of_a_second(ds: Any) -> None:
    """DS-19: measured is that it comes at all, at once; how fast it is elsewhere is for the benchmarks."""
    worker = await ds.worker("commerce")
    listener = await ds.ready("tasks")
    began = time.monotonic()
    await ds.submit()
    await listener.hear(type="task_update")
    assert time.monotonic() - began < 2
    await worker.beat()


async def test_messages_are_not_limited_and_frames_stay_small(ds: Any) -> None:
    """DS-20: a hundred pings at once; a frame of ours never reaches 64 KB, one of theirs beyond it ends the line."""
    listener = await ds.listen("agents")
    for _ in range(100):
        await listener.ws.send_json({"type": "ping"})
    for _ in range(100):
        assert (await listener.next())["type"] == "pong"
    tasks = await ds.ready("tasks")
    await ds.submit(prompt="x" * 10_000)
    await ds.cw.say("chatty", "run", runId="r", status="failed", error="e" * 60_000, result="r" * 100_000)
    for _ in range(3):
        frame = await tasks.next()
        assert len(json.dumps(frame)) < 64 * 1024
    await listener.ws.send_str("x" * 70_000)
    assert await listener.closed() == 1009


async def test_many_connections_are_one_as_good_as_another(ds: Any) -> None:
    """DS-20; a thousand are held in the benchmarks."""
    listeners = [await ds.listen("agents") for _ in range(90)]
    await listeners[-1].ping()
    await ds.worker("commerce")
    assert {(await listener.hear(type="agent_status_update"))["agent_id"] for listener in listeners} == {"commerce-001"}


class TestWhoMayListen:
    """DS-02, DS-21"""

    @pytest.mark.parametrize("origin", [None, DEV_PAGE, "http://localhost:5173", "http://localhost"])
    async def test_this_machine_needs_no_key(self, ds: Any, origin: str | None) -> None:
        listener = await ds.listen("agents", **({} if origin is None else {"Origin": origin}))
        assert await listener.ping() == []

    @pytest.mark.parametrize("origin", [VERCEL, PREVIEW])
    async def test_the_dashboards_pages_need_a_token(self, ds: Any, origin: str) -> None:
        refused = await ds.listen("agents", Origin=origin)
        assert await refused.closed() == 1008
        assert refused.heard[0]["type"] == "error"
        admitted = await ds.listen("agents", query=f"?token={ds.cw.key}", Origin=origin)
        assert await admitted.ping() == []

    @pytest.mark.parametrize("origin", [
        "https://evil.vercel.app.x.com", "https://evil.com", "http://devskyy-dashboard.vercel.app", "null",
        "https://localhost:3000", "http://localhost:3000.evil.com", "https://vercel.app", "",
    ])  # fmt: skip
    async def test_foreign_pages_are_closed_with_1008_token_or_not(self, ds: Any, origin: str) -> None:
        for query in ("", f"?token={ds.cw.key}"):
            listener = await ds.listen("agents", query=query, Origin=origin)
            assert await listener.closed() == 1008

    async def test_a_proxied_connection_is_not_of_this_machine(self, ds: Any) -> None:
        listener = await ds.listen("agents", **{"X-Forwarded-For": "203.0.113.7"})
        assert await listener.closed() == 1008
        listener = await ds.listen("agents", Authorization=f"Bearer {ds.cw.key}", **{"X-Forwarded-For": "203.0.113.7"})
        assert await listener.ping() == []

    async def test_a_wrong_token_is_not_passed_over(self, ds: Any) -> None:
        assert await (await ds.listen("agents", query="?token=wrong")).closed() == 1008

    async def test_a_key_without_read_may_not_listen(self, ds: Any) -> None:
        listener = await ds.listen("agents", query=f"?token={await ds.cw.make_key('ingest')}")
        assert await listener.closed() == 1008
        assert "read" in listener.heard[0]["message"]

    async def test_never_means_a_key_for_everybody(self, run_ds: Any) -> None:
        async with run_ds(apis={"devskyy": {"anonymous_websocket": "never"}}) as ds:
            assert await (await ds.listen("agents")).closed() == 1008
            assert await (await ds.listen("agents", query=f"?token={ds.cw.key}")).ping() == []

    async def test_always_admits_the_dashboards_pages_and_still_no_others(self, run_ds: Any) -> None:
        async with run_ds(apis={"devskyy": {"anonymous_websocket": "always"}}) as ds:
            assert await (await ds.listen("agents", Origin=VERCEL)).ping() == []
            assert await (await ds.listen("agents", **{"X-Forwarded-For": "203.0.113.7"})).ping() == []
            assert await (await ds.listen("agents", Origin="https://evil.com")).closed() == 1008

    async def test_a_limited_key_hears_of_its_own_agents_only(self, ds: Any) -> None:
        token = await ds.cw.make_key("read", agents=["mine-*"])
        agents = await ds.listen("agents", query=f"?token={token}")
        tasks = await ds.listen("tasks", query=f"?token={token}")
        await agents.ping()
        await tasks.ping()
        await ds.worker("commerce", "yours-1")
        await ds.submit()
        await ds.worker("commerce", "mine-1")
        assert {f["agent_id"] for f in [await agents.next()]} == {"mine-1"}
        assert await tasks.ping() == []

    async def test_a_login_of_ours_means_nothing_on_anothers_page(self, ds: Any, login_cookie: str) -> None:
        """A dashboard on another port of this machine is sent our cookie along; it listens, but not as the admin."""
        listener = await ds.listen("agents", Origin=DEV_PAGE, Cookie=login_cookie)
        assert await listener.ping() == []
        refused = await ds.listen("agents", Origin=VERCEL, Cookie=login_cookie)
        assert await refused.closed() == 1008

    @pytest.fixture
    async def login_cookie(self, ds: Any) -> str:
        port = ds.cw.url.rpartition(":")[2]
        return f"clawatch_{port}=not-even-a-good-one"


class TestStatusWords:
    """X-02, X-03"""

    def test_every_status_of_ours_has_a_word(self) -> None:
        assert set(WORD_OF) == set(Status)
        assert set(WORD_OF.values()) <= WORDS

    @pytest.mark.parametrize(("verb", "word"), [("pause", "idle"), ("stop", "idle")])
    async def test_a_pause_by_clawatch_is_told_here(self, ds: Any, verb: str, word: str) -> None:
        await ds.worker("commerce")
        listener = await ds.ready("agents")
        await ds.cw.post(f"/api/agents/commerce-001/{verb}")
        frame = await listener.next()
        assert (frame["agent_id"], frame["status"]) == ("commerce-001", word)
        await ds.cw.post("/api/agents/commerce-001/resume")
        assert (await listener.next())["status"] == "running"

    async def test_a_silent_agent_is_in_error(self, ds: Any) -> None:
        await ds.worker("commerce")
        listener = await ds.ready("agents")
        ds.cw.clock.advance(6 * 60_000)
        await ds.cw.settle()
        assert (await listener.hear(type="agent_status_update"))["status"] == "error"

    async def test_a_restart_closes_with_going_away(self, run_ds: Any) -> None:
        """X-10"""
        async with ClientSession() as session:
            async with run_ds() as ds:
                ws = await session.ws_connect(f"{ds.cw.url}/api/ws/agents")
            message = await ws.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
