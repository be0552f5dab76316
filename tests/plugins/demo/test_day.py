"""A day of the demo on a clock turned by hand: told by its cast, recorded by the fleet's own recorder, replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession
from clawatch_plugins.demo.cast import WRAPPED
from clawatch_plugins.demo.claude_code import Session
from clawatch_plugins.demo.daemon import BRAKED, CLUMSY, WATCHED, Place, _config
from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.narration import Narrator
from clawatch_plugins.demo.performer import Performer
from clawatch_plugins.demo.story import Story
from clawatch_plugins.fleet_recorder.recorder import Recorder

from clawatch.domain.access import CORE
from clawatch.domain.time import DAY, MINUTE, SECOND, Millis, parse_iso
from clawatch.testing.app import ADMIN_KEY, App, run_app
from clawatch.testing.clock import FakeClock

MIDNIGHT = parse_iso("2026-03-09T00:00:00Z")
STORY_AT = MIDNIGHT + (3 * 60 + 12) * MINUTE
PACE = 0.05
"""A night is long: twenty times as slow as on stage."""
AGENT_KEY = "cw_" + "a" * 43
TRIES = 500


@dataclass
class Stage:
    app: App
    clock: FakeClock
    doors: Doors
    session: ClientSession
    players: list[Player] = field(default_factory=list)

    async def wait(self, seconds: float) -> None:
        """Let time pass; whoever is well says so every minute."""
        until = self.clock.now().wall + round(seconds * SECOND)
        while (left := until - self.clock.now().wall) > 0:
            self.clock.advance(min(left, MINUTE))
            beats = [
                {"agentId": player.id, "type": "heartbeat"} for player in self.players
                if not player.is_silent and not player.is_paused
            ]
            await self.doors.report(*beats)
            await self.app.settle()

    async def ask(self, path: str) -> Any:
        async with self.session.get(path) as answer:
            assert answer.status == 200
            return await answer.json()

    async def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("/api/alerts"))["alerts"]
        return found


class Player(Performer):
    """Rests by the clock of the stage."""

    def __init__(self, id: str, stage: Stage) -> None:
        super().__init__(id, id.title(), "home-server", stage.doors, PACE)
        self._stage = stage
        stage.players.append(self)

    async def say(self, type: str, **data: Any) -> None:
        await super().say(type, **data)
        await self._stage.app.settle()

    async def rest(self, seconds: float) -> None:
        await self._stage.wait(seconds / PACE)
        await self._may_work.wait()


class StageNews:
    """What the story waits for: alerts come with time, commands when their agents answer."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def alert(self, agent_id: str, rule: str, state: str, severity: str | None = None) -> bool:
        for _ in range(TRIES):
            for one in await self._stage.alerts():
                is_it = (one["agentId"], one["rule"]) == (agent_id, rule) and severity in (None, one["severity"])
                if is_it and state in ("firing", one["state"]):
                    return True
            await self._stage.wait(10)
        return False

    async def command(self, agent_id: str, type: str, state: str) -> bool:
        for _ in range(TRIES):
            await self._stage.app.settle()
            commands = (await self._stage.ask(f"/api/commands?agentId={agent_id}"))["commands"]
            if any((one["type"], one["state"]) == (type, state) for one in commands):
                return True
            await asyncio.sleep(0.01)
        return False


class Quiet(Narrator):
    def _line(self, word: str, text: str, colour: str) -> None:
        pass

    def end(self, text: str) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """The demo's own, but for where it listens and whom it tells."""
    whole = _config(tmp_path, 0, PACE, "http://127.0.0.1:9/", ADMIN_KEY, AGENT_KEY)
    return {name: whole[name] for name in ("auth", "limits", "agents")}


async def perform(stage: Stage) -> None:
    """The day: life goes on until the night's story, and after it."""
    performers = {name: Player(name, stage) for name in (WATCHED, CLUMSY, BRAKED, "translator", WRAPPED)}
    for player in stage.players:
        await player.say("status_change", status="running")
    obeying = [asyncio.create_task(player._obey()) for player in stage.players]
    coder = Session(stage.doors)
    await coder.begin()
    await stage.wait((STORY_AT - stage.clock.now().wall) / SECOND)
    cast = SimpleNamespace(
        watch=performers[WATCHED], courier=performers[CLUMSY], researcher=performers[BRAKED],
        translator=performers["translator"], coder=coder,
    )  # fmt: skip
    story: Any = Story(cast, stage.doors, StageNews(stage), Quiet())  # type: ignore[arg-type]
    for scene in (
        story.silence, story.errors, story.error, story.loop, story.spending, story.paused_session,
        story.paused_build, story.recovery,
    ):  # fmt: skip
        await scene()
        await cast.translator.rest(2)
    await stage.wait((MIDNIGHT + DAY + 10 * MINUTE - stage.clock.now().wall) / SECOND)
    for task in obeying:
        task.cancel()
    await asyncio.gather(*obeying, return_exceptions=True)


def as_recorded(alerts: list[dict[str, Any]]) -> Iterator[tuple[int, str, str, str]]:
    """At which minute of the day an alert is to be told, with what it is about."""
    for one in alerts:
        yield minute(one["firedAt"]), "alert_fired", one["agentId"], one["rule"]
        if one["state"] == "resolved":
            yield minute(one["resolvedAt"]), "alert_resolved", one["agentId"], one["rule"]


def minute(text: str) -> Millis:
    return (parse_iso(text) - MIDNIGHT) // MINUTE


async def test_a_day_of_the_demo_is_replayed_with_its_alerts_at_the_right_minutes(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    clock = FakeClock(MIDNIGHT)
    async with (
        run_app(tmp_path, config, clock) as app,
        Doors(Place(app.url, "", ADMIN_KEY, AGENT_KEY)) as doors,
        ClientSession(app.url, headers={"X-ClaWatch-Key": ADMIN_KEY}) as session,
    ):
        stage = Stage(app, clock, doors, session)
        await perform(stage)
        await Recorder().run(app.daemon.core)
        recordings = (await app.daemon.core.recordings.list(CORE)).items
        [day] = [one for one in recordings if one.run_id.startswith("day")]
        frames = await replayed(doors, day.node_id)
        alerts = await stage.alerts()

    told = [
        (frame["tick"], frame["data"]["type"], frame["data"]["variable_changes"]["agent_id"], frame["data"]["source"])
        for frame in frames if frame["type"] == "replay_event" and frame["data"]["type"] != "alert_raised"
    ]  # fmt: skip
    assert sorted(told) == sorted(as_recorded(alerts))
    fired = {(agent, rule) for _, kind, agent, rule in told if kind == "alert_fired"}
    assert fired >= {(WATCHED, "stuck"), (CLUMSY, "error_spike"), (BRAKED, "loop")}
    assert any(rule == "cost" for _, rule in fired)
    [stuck_at] = [tick for tick, kind, agent, _ in told if (kind, agent) == ("alert_fired", WATCHED)]
    assert 3 * 60 + 12 < stuck_at < 4 * 60
    ticks = {frame["tick"]: frame["data"]["metrics"] for frame in frames if frame["type"] == "replay_tick"}
    assert len(ticks) == 24 * 60
    assert (ticks[stuck_at - 1]["stuck"], ticks[stuck_at]["stuck"]) == (0, 1)
    actions = {frame["data"]["action"] for frame in frames if frame["type"] == "replay_step"}
    assert {"asked to pause", "paused, confirmed", "resumed, confirmed"} <= actions


async def replayed(doors: Doors, node: str) -> list[dict[str, Any]]:
    socket = await doors.watch()
    await socket.send_json({"type": "subscribe", "replay": {"node": node, "speed": 1_000_000}})
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != "replay_ended":
        frame = await socket.receive_json(timeout=5)
        if frame.get("replay"):
            frames.append(frame)
    await socket.close()
    return frames
