"""``clawatch test-rules``: rule tests, and rehearsals on the past."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from clawatch_plugins.fleet_recorder.recorder import Recorder
from click.testing import CliRunner, Result

from clawatch.cli import main
from clawatch.domain.access import CORE
from clawatch.domain.time import MINUTE, parse_iso
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock

THREE = parse_iso("2026-03-09T03:00:00Z")
TESTS = """
config:
  rules: {stuck: {after: 2m}}
tests:
  - name: a silent agent
    events:
      - {at: 0s, agent: bot, times: 4, every: 30s}
      - {at: 10m, agent: bot}
    until: 12m
    alerts:
      - {at: 3m30s, rule: stuck, agent: bot, severity: critical, resolved: 10m}
  - name: a paused agent is not stuck
    start: 2026-03-09T14:00:00Z
    events:
      - {at: 0s, agent: bot}
      - {at: 1m, agent: bot, control: pause}
  - name: a loop would be braked
    config:
      rules: {loop: {action: pause}}
    events:
      - {at: 0s, agent: bot, type: tool_call, data: {toolName: search, arguments: {q: x}}, times: 10, every: 2s}
    until: 1m
    alerts:
      - {at: 8s, rule: loop, severity: critical, brake: pause, resolved: never, message: search}
  - name: a budget
    config:
      rules: {cost: {limits: [{per: total, usd: 1.00}]}}
    events:
      - {at: 1m, agent: bot, type: cost, data: {costUsd: 0.4, model: m}, times: 3, every: 20s}
    until: 2m
    alerts:
      - {at: 1m20s, rule: cost, agent: bot, severity: warning}
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test-rules", *arguments])


def test_tests_that_hold_pass(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(TESTS)
    done = call(str(file))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"{file}: 4 of 4 as expected"


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found
    file = tmp_path / "rules.yaml"
    file.write_text(found[1])
    done = call(str(file))
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"{file}: 3 of 3 as expected")
    file.write_text(found[1].replace("at: 3m30s", "at: 3m"))
    told = [line.rstrip() for line in call(str(file)).output.splitlines()[:3]]
    assert "\n".join(told) in page


def test_what_differs_is_told_and_the_exit_code_is_one(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(TESTS.replace("at: 3m30s", "at: 3m").replace("at: 1m20s, rule: cost", "at: 1m20s, rule: loop"))
    done = call(str(file))
    assert done.exit_code == 1
    assert "FAIL  a silent agent" in done.output
    assert "- at 3m: stuck of bot, severity: critical, resolved: 10m" in done.output
    assert "+ at 3m30s: stuck of bot, severity: critical, resolved: 10m (" in done.output
    assert "ok    a paused agent is not stuck" in done.output
    assert "2 of 4 as expected" in done.output


@pytest.mark.parametrize(("text", "said"), [
    ("events: [{at: 1 hour, agent: a}]", "is not a duration"),
    ("events: [{agent: a}]", "at"),
    ("events: [{at: 0s, agent: a, type: nonsense}]", "nonsense"),
    ("events: [{at: 0s, agent: a, type: cost, data: {costUsd: much}}]", "an event of a at 0s"),
    ("events: []\nconfig: {rules: {stuck: {afer: 1m}}}", "afer"),
    ("events: [{at: 0s, agent: a, colour: red}]", "colour"),
    ("- x\n", "object"), ("{", "no YAML"), ("events: []\nstart: yesterday", "start"),
])  # fmt: skip
def test_what_is_written_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    done = call(str(file))
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_one_or_the_other_must_be_given(tmp_path: Path) -> None:
    assert call().exit_code == 2


@pytest.fixture
async def night(tmp_path: Path) -> Path:
    """A night in which one agent fell silent at 03:07 and another failed four times: its data directory."""
    clock = FakeClock(THREE)
    async with run_app(tmp_path, {"storage": {"use": "sqlite"}}, clock) as app, ClientSession(
        app.url, headers={"X-ClaWatch-Key": app.key}
    ) as session:

        async def say(agent: str, type: str = "heartbeat", **data: Any) -> None:
            async with session.post("/api/events", json={"agentId": agent, "type": type, "data": data}) as answer:
                assert answer.status == 201

        for minute in range(62):
            if minute <= 7:
                await say("night-watch")
            await say("courier")
            if minute == 20:
                for _ in range(4):
                    await say("courier", "error", error="refused")
                await say("courier", "status_change", status="running")
            clock.advance(MINUTE)
            await app.settle()
        await Recorder().run(app.daemon.core)
        [recording] = (await app.daemon.core.recordings.list(CORE)).items
        (tmp_path / "node").write_text(recording.node_id)
        (tmp_path / "run.ndjson").write_text(await exported(app.daemon.core.recordings, recording))
    return tmp_path


async def exported(recordings: Any, recording: Any) -> str:
    from clawatch.ports import EventsWanted

    lines: list[dict[str, Any]] = [{
        "kind": "recording", "node_id": recording.node_id, "run_id": recording.run_id,
        "started_at": "2026-03-09T03:00:00Z", "tick_seconds": 60,
    }]  # fmt: skip
    async for one in recordings.profiles(recording):
        lines.append({"kind": "agent", "agent_id": one.agent_id})
    lines += [{"kind": "tick", "tick": tick} for tick in range(60)]
    async for agent_id, step in recordings.steps(recording, 0, 59):
        lines.append({"kind": "step", "agent_id": agent_id, "tick": step.tick, "state": step.state})
    for event in (await recordings.events(recording, EventsWanted())).events:
        lines.append({"kind": "event", "tick": event.tick, "type": event.type})
    return "".join(json.dumps(line) + "\n" for line in [*lines, {"kind": "end"}])


async def rehearse(night: Path, recording: str, **rules: Any) -> list[str]:
    config = night / "other.yaml"
    config.write_text(json.dumps({"rules": rules, "timezone": "UTC"}))
    arguments = ["--recording", recording, "--config", str(config), "--data-dir", str(night / "data")]
    done = await asyncio.to_thread(call, *arguments)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def fired(lines: list[str]) -> list[tuple[str, str, str]]:
    """When, which rule, of whom."""
    found = [line.split() for line in lines if line.startswith("2026-")]
    return [(words[1], words[3], words[4].rstrip(":")) for words in found]


async def test_the_same_configuration_raises_the_same_alerts_at_the_same_times(night: Path) -> None:
    lines = await rehearse(night, (night / "node").read_text())
    assert lines[0] == "hour 2026-03-09T03:00:00.000Z, 2026-03-09T03:00Z to 2026-03-09T04:00Z"
    assert "out of the journal" in lines[1]
    assert fired(lines) == [("03:12:00", "stuck", "night-watch"), ("03:20:00", "error_spike", "courier")]
    assert lines[-1] == "2 alerts would have fired; 2 did then"


async def test_another_configuration_raises_others(night: Path) -> None:
    lines = await rehearse(night, (night / "node").read_text(), stuck={"after": "20m"}, error_spike={"more_than": 1})
    assert fired(lines) == [("03:20:00", "error_spike", "courier"), ("03:27:00", "stuck", "night-watch")]


async def test_a_file_alone_tells_of_signs_of_life_and_says_what_it_cannot_tell(night: Path) -> None:
    lines = await rehearse(night, str(night / "run.ndjson"), stuck={"after": "20m"})
    assert "out of the recording alone" in lines[1]
    assert [one[1:] for one in fired(lines)] == [("stuck", "night-watch")]
    assert fired(lines)[0][0] == "03:27:00"


async def test_a_recording_that_is_not_there_is_named(night: Path) -> None:
    done = await asyncio.to_thread(
        call, "--recording", "00000000-0000-0000-0000-000000000000", "--data-dir", str(night / "data")
    )
    assert (done.exit_code, "No recording of this node" in done.output) == (2, True), done.output


