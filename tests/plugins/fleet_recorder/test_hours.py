"""Each closed hour of the fleet is a recording."""

from __future__ import annotations

import contextlib
from typing import Any

from clawatch.domain.access import CORE
from clawatch.domain.time import HOUR, MINUTE, SECOND, parse_iso

THREE = parse_iso("2026-03-09T03:00:00Z")


async def test_it_tells_how_the_fleet_looked_when_the_alert_fired(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        for agent in ("night-watch", "courier"):
            await watch.say(agent, host="home", kind="bot")
        await watch.until(THREE + 7 * MINUTE, 30 * SECOND, "night-watch", "courier")
        await watch.until(THREE + HOUR + 2 * MINUTE, 30 * SECOND, "courier")  # the other one has fallen silent
        await watch.record()
        [hour] = await watch.recordings()
        assert await watch.told(hour) == [("03:12", "stuck", "night-watch")]
        assert (await watch.at(hour, 11))["stuck"] == 0
        assert (await watch.at(hour, 12)) | {"stuck": 1, "running": 1, "agents": 2} == await watch.at(hour, 12)
        assert await watch.steps(hour, "night-watch") == [(0, "running", None), (12, "stuck", None)]


async def test_an_hour_is_the_same_at_the_door_of_agentverse(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a", "cost", costUsd=0.25, inputTokens=100, outputTokens=20, kind="bot", host="h1")
        await watch.say("b", "tool_call", toolName="search", ok=False, kind="cli", host="h2")
        await watch.until(THREE + HOUR + MINUTE, 5 * MINUTE, "a", "b")
        await watch.record()
        [hour] = await watch.recordings()
        frame = await watch.do("GET", f"/api/v1/telemetry/{hour.node_id}/keyframe/0")
        counted = {"cost": 0.25, "tokens": 120, "tool_calls": 1, "errors": 1, "agents": 2}
        assert {name: frame["distributions"][name] for name in counted} == counted
        listed = await watch.do("GET", "/api/recordings")
        assert [(one["source"], one["total_ticks"]) for one in listed["recordings"]] == [("fleet", 59)]
        segments = await watch.app.daemon.core.recordings.keyframe(hour, 0)
        assert segments.state.by_segment["cost"] == {"bot": 0.25, "cli": 0}
        assert segments.state.by_region["tool_calls"] == {"h1": 0, "h2": 1}


async def test_an_hour_is_written_once(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + 2 * HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        first = await watch.recordings()
        await watch.record()
        watch.recorder = type(watch.recorder)()
        await watch.record()
        assert await watch.recordings() == first
        assert len(first) == 2
        assert len({one.node_id for one in first}) == 2


async def test_hours_go_on_from_each_other_whether_or_not_the_recorder_remembers(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.say("b", "status_change", status="idle")
        await watch.do("POST", "/api/agents/a/pause")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "c")
        await watch.record()
        watch.recorder = type(watch.recorder)()  # as after a restart
        await watch.until(THREE + 2 * HOUR + MINUTE, 10 * MINUTE, "c")
        await watch.record()
        _, second = await watch.recordings()
        found = {
            one.agent_id: one.initial_state["status"]
            async for one in watch.app.daemon.core.recordings.profiles(second)
        }
        assert found == {"a": "paused", "b": "stuck", "c": "running"}


async def test_the_last_recording_tells_of_who_has_long_said_nothing(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.do("POST", "/api/agents/a/pause")
        for hour in range(1, 5):
            await watch.until(THREE + hour * HOUR + MINUTE, 10 * MINUTE, "c")
            watch.recorder = type(watch.recorder)()
            await watch.record()
        for hour in await watch.recordings():
            assert [status for _, status, _ in await watch.steps(hour, "a")][-1] == "paused"
            assert (await watch.at(hour, 59))["agents"] == 2


async def test_a_trajectory_has_its_commands(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + 5 * MINUTE, MINUTE, "a")
        await watch.do("POST", "/api/agents/a/pause")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE)
        await watch.record()
        [hour] = await watch.recordings()
        steps = await watch.steps(hour, "a")
        assert (5, "paused", "asked to pause") in steps
        assert (await watch.at(hour, 6))["running"] == 0


async def test_nothing_is_recorded_of_a_fleet_that_is_not_there(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.until(THREE + 2 * HOUR, HOUR)
        await watch.record()
        assert await watch.recordings() == []


async def test_what_was_missed_is_recorded_at_the_next_start(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + HOUR + MINUTE, 5 * MINUTE, "a")
        await watch.record()
        await watch.until(THREE + HOUR + 30 * MINUTE, 5 * MINUTE, "a")
    clock.advance(4 * HOUR)
    async with run_watch() as watch:
        await watch.say("a")
        await watch.record()
        starts = [((one.started_at or 0) - THREE) // HOUR for one in await watch.recordings()]
        assert starts == [0, 1]  # in the others nobody was looking
        await watch.until(clock.now().wall + HOUR, 10 * MINUTE, "a")
        await watch.record()
        assert ((await watch.recordings())[-1].started_at or 0) == THREE + 5 * HOUR


async def test_a_recording_that_breaks_off_leaves_nothing_and_is_made_again(
    run_watch: Any, clock: Any, monkeypatch: Any
) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + HOUR + MINUTE, 5 * MINUTE, "a")
        queries = watch.app.daemon.core.queries
        whole = type(queries).series

        async def broken(self: Any, caller: Any, since: int, *rest: Any) -> Any:
            if since > THREE + 30 * MINUTE:
                raise OSError("gone")
            return await whole(self, caller, since, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(type(queries), "series", broken)
            with contextlib.suppress(OSError):
                await watch.record()
        assert (await watch.app.daemon.core.recordings.list(CORE)).items == ()
        await watch.record()
        [hour] = await watch.recordings()
        assert (await watch.at(hour, 59))["agents"] == 1
