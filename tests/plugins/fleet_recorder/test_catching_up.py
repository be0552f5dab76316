"""What the recorder does where it was interrupted, or where the journal does not reach back."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.fleet_recorder import recorder

from clawatch.domain.access import CORE
from clawatch.domain.recordings import gathering
from clawatch.domain.time import HOUR, MINUTE, parse_iso

THREE = parse_iso("2026-03-09T03:00:00Z")


async def test_an_hour_that_was_recorded_but_not_noted_is_not_recorded_again(
    run_watch: Any, clock: Any, monkeypatch: Any
) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.do("POST", "/api/agents/a/pause")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "b")
        marks = type(watch.app.daemon.core.marks)
        with monkeypatch.context() as patch:
            patch.delattr(marks, "write")  # as if it had been killed just now
            with pytest.raises(AttributeError):
                await watch.record()
        [before] = await watch.recordings()
        watch.recorder = type(watch.recorder)()
        await watch.until(THREE + 2 * HOUR + MINUTE, 10 * MINUTE, "b")
        await watch.record()
        first, second = await watch.recordings()
        assert first == before
        assert await watch.steps(second, "a") == [(0, "paused", None)]


async def test_where_the_journal_has_been_pruned_it_goes_on_from_now(run_watch: Any, clock: Any) -> None:
    async with run_watch(storage={"use": "memory", "memory": {"entries": 1000}}) as watch:
        await watch.say("a")
        await watch.say("b", "status_change", status="idle")
        await watch.do("POST", "/api/agents/a/pause")
        many = [{"agentId": "c", "type": "heartbeat"}] * 1000
        await watch.do("POST", "/api/events", json=many)
        await watch.do("POST", "/api/events", json=many[:500])
        await watch.until(THREE + 30 * MINUTE, 10 * MINUTE)
        await watch.record()
        await watch.until(THREE + 2 * HOUR + MINUTE, 30 * MINUTE)
        await watch.record()
        [hour] = await watch.recordings()
        assert hour.started_at == THREE + HOUR
        assert await watch.steps(hour, "a") == [(0, "paused", None)]
        assert (await watch.at(hour, 0))["agents"] == 3


async def test_a_removed_base_is_gone_on_from_now(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        [hour] = await watch.recordings()
        await watch.delete(f"/api/recordings/{hour.id}")
        watch.recorder = type(watch.recorder)()
        await watch.until(THREE + 2 * HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        assert await watch.recordings() == []
        await watch.until(THREE + 3 * HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        assert [one.started_at for one in await watch.recordings()] == []
        await watch.until(THREE + 4 * HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        assert [one.started_at for one in await watch.recordings()] == [THREE + 3 * HOUR]


async def test_the_fleet_is_for_keys_that_see_all_agents(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "a")
        await watch.record()
        [hour] = await watch.recordings()
        wanted = {"name": "some", "scopes": ["read"], "agents": ["a"]}
        key = (await watch.do("POST", "/api/keys", json=wanted))["key"]
        for path in (f"/api/v1/telemetry/{hour.node_id}", f"/api/recordings/{hour.id}"):
            async with watch.session.get(path, headers={"X-ClaWatch-Key": key}) as answer:
                assert answer.status == 404
        assert (await watch.app.daemon.core.recordings.get(hour.id, CORE)).owner == ""


async def test_an_agent_that_flaps_is_told_of_so_often_and_then_how_it_stands(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        for number in range(101):
            await watch.say("a", "status_change", status="running" if number % 2 else "idle")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE)
        await watch.record()
        [hour] = await watch.recordings()
        steps = [status for tick, status, _ in await watch.steps(hour, "a") if tick == 0]
        assert len(steps) in (30, 31)
        assert steps[-1] == "idle"


async def test_an_agent_that_is_removed_is_said_to_be(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a", kind="bot")
        await watch.until(THREE + 4 * MINUTE, MINUTE, "a")
        await watch.delete("/api/agents/a")
        await watch.say("b")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "b")
        await watch.record()
        [hour] = await watch.recordings()
        assert await watch.steps(hour, "a") == [(0, "running", None), (4, "removed", None)]
        assert ((await watch.at(hour, 3))["agents"], (await watch.at(hour, 5))["agents"]) == (1, 1)


async def test_what_no_recording_can_hold_is_passed_over(run_watch: Any, clock: Any, monkeypatch: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.do("POST", "/api/agents/a/pause")
        await watch.say("b")
        await watch.until(THREE + HOUR + MINUTE, 10 * MINUTE, "b")
        with monkeypatch.context() as patch:
            patch.setattr(gathering, "MAX_AGENTS", 1)
            await watch.record()
        await watch.until(THREE + 2 * HOUR + MINUTE, 10 * MINUTE, "b")
        watch.recorder = type(watch.recorder)()
        await watch.record()
        [hour] = await watch.recordings()
        assert hour.started_at == THREE + HOUR
        assert await watch.steps(hour, "a") == [(0, "paused", None)]


async def test_many_missing_hours_are_recorded_a_part_at_a_time(run_watch: Any, clock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(recorder, "MOST_AT_ONCE", 2)
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + 5 * HOUR + MINUTE, 30 * MINUTE, "a")
        counts = []
        for _ in range(3):
            await watch.record()
            counts.append(len(await watch.recordings()))
        assert counts == [2, 4, 5]


async def test_the_daemon_runs_it_by_itself(run_watch: Any) -> None:
    async with run_watch() as watch:
        assert "fleet_recorder" in watch.app.daemon.scheduler.next_runs()
