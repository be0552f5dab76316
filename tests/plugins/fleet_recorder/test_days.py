"""Each day is a recording too, ten minutes after midnight."""

from __future__ import annotations

from typing import Any

from clawatch.domain.access import CORE
from clawatch.domain.recordings.slices import Slice
from clawatch.domain.time import DAY, HOUR, MINUTE, parse_iso

THREE = parse_iso("2026-03-09T03:00:00Z")
MIDNIGHT = parse_iso("2026-03-10T00:00:00Z")


async def test_a_day_is_recorded_ten_minutes_after_midnight(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a", kind="bot", host="h")
        await watch.until(THREE + 9 * HOUR, 5 * MINUTE, "a")
        await watch.until(MIDNIGHT + 9 * MINUTE, 15 * MINUTE)
        await watch.record()
        assert (len(await watch.recordings("hour")), await watch.recordings("day")) == (21, [])
        await watch.until(MIDNIGHT + 10 * MINUTE, MINUTE)
        await watch.record()
        [day] = await watch.recordings("day")
        assert (day.started_at, day.total_ticks) == (MIDNIGHT - DAY, 24 * 60 - 1)
        assert await watch.told(day) == [("12:15", "stuck", "a")]
        assert await watch.steps(day, "a") == [(180, "running", None), (735, "stuck", None)]
        before, after = await watch.at(day, 734), await watch.at(day, 735)
        assert (before["running"], before["stuck"], after["running"], after["stuck"]) == (1, 0, 0, 1)
        assert [(part.name, part.population) for part in day.segments] == [("bot", 1)]
        watch.recorder = type(watch.recorder)()
        await watch.record()
        assert await watch.recordings("day") == [day]


async def test_a_day_knows_how_agents_stood_when_it_began(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.do("POST", "/api/agents/a/pause")
        await watch.until(MIDNIGHT + MINUTE, HOUR)
        await watch.say("b")
        await watch.until(MIDNIGHT + DAY + 10 * MINUTE, HOUR)
        await watch.record()
        _, day = await watch.recordings("day")
        found = [one async for one in watch.app.daemon.core.recordings.profiles(day)]
        assert [(one.agent_id, one.initial_state.get("status")) for one in found] == [("a", "paused"), ("b", None)]
        assert found[0].initial_state["agent"]["control"] == "paused"


async def test_what_nobody_watched_is_unknown(run_watch: Any, clock: Any) -> None:
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(THREE + HOUR, 5 * MINUTE, "a")
    clock.advance(10 * HOUR)
    async with run_watch() as watch:
        await watch.say("a")
        await watch.until(MIDNIGHT + 10 * MINUTE, 5 * MINUTE, "a")
        await watch.record()
        [day] = await watch.recordings("day")
        recordings = watch.app.daemon.core.recordings
        where = Slice(first=0, last=day.total_ticks, resolution=60, metrics=("agents", "tool_calls"))
        agents = [point["agents"] async for point in recordings.points(day, where)]
        assert agents == [None] * 3 + [1, 1] + [None] * 9 + [1] * 10


async def test_old_recordings_of_the_fleet_go_and_others_stay(run_watch: Any, clock: Any) -> None:
    kept = {"retention": {"recordings": {"hour": "1d", "day": "2d"}}}
    async with run_watch(**kept) as watch:
        await watch.do(
            "POST", "/api/recordings", data=b'{"kind":"recording","node_id":"4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"}\n'
            b'{"kind":"tick","tick":0}\n{"kind":"end"}\n',
        )  # fmt: skip
        await watch.say("a")
        for day in range(4):
            await watch.until(MIDNIGHT + day * DAY + 10 * MINUTE, HOUR, "a")
            await watch.record()
        kinds = [one.run_id.partition(" ")[0] for one in (await watch.app.daemon.core.recordings.list(CORE)).items]
        assert (kinds.count("hour"), kinds.count("day"), len(kinds)) == (24, 2, 27)
