"""A whole daemon beside an OpenClaw: what it sees, what it counts, and what its pause and stop come to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from clawatch_plugins.openclaw import brake, following_databases, holding, probing, source, stopping
from clawatch_plugins.openclaw import gateway as connecting
from clawatch_plugins.openclaw.places import Home
from msgspec.structs import replace

from clawatch.apis.claims import METRICS_SESSION
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.domain.events import Event, EventType, Facts, Usage
from clawatch.domain.naming import agent_key
from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.ports import AlertFilter, EventFilter, NotFound
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock
from clawatch.testing.openclaw import StandInGateway

KEY = "agent:main:main"
ID = "openclaw:main"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(stopping, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(brake, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(brake, "SLOWER", 0.01)
    monkeypatch.setattr(probing, "EVERY", 0.05)
    monkeypatch.setattr(following_databases, "FIND_EVERY", 0.05)


@asynccontextmanager
async def watching(
    home: Path, disk: Any = None, stand_in: StandInGateway | None = None, clock: Any = None, **told: Any
) -> AsyncIterator[App]:
    settings = {
        "state_dir": str(disk.root) if disk else None, "files": disk is not None, "poll": "50ms",
        "proof_within": "100ms", "gateway": stand_in.url if stand_in else "", "token": "gateway-token", **told,
    }
    async with run_app(home, {"sources": {"openclaw": settings}}, clock) as app:
        if disk is not None:
            marks = f"{Home('openclaw', disk.root).marks}:files"
            await _until(lambda: app.daemon.core.marks.read(marks), bool)  # it has looked once
        yield app


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(15):
        while not (value := condition()):
            await asyncio.sleep(0.01)
    return value


def agent(app: App, agent_id: str = ID) -> Agent | None:
    try:
        return app.daemon.core.queries.agent(agent_id, CORE)
    except NotFound:
        return None


def now(app: App) -> int:
    return app.clock.now().wall


def command(app: App) -> Command:
    known = agent(app)
    assert known is not None
    found = app.daemon.core.queries.controlling(known).command
    assert found is not None
    return found


async def ask(app: App, method: str, path: str) -> Any:
    url = f"{app.url}{path}"
    async with ClientSession(headers={"X-ClaWatch-Key": app.key}) as session, session.request(method, url) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


def a_turn(disk: Any, at: int) -> list[dict[str, Any]]:
    """A prompt, a call that fails, a model's error, an answer: 2 × $0.01, 2 × 1,050 tokens."""
    nothing = {"input": 0, "output": 0, "totalTokens": 0, "cost": {"total": 0}}
    return [
        disk.user("e1", at),
        disk.answer("e2", at + 1, stop="toolUse", call="t1"),
        disk.result("e3", at + 2, "t1", exitCode=1),
        disk.answer("e4", at + 3, stop="error", usage=nothing, errorMessage="429 rate_limit"),
        disk.answer("e5", at + 4),
    ]


def sums(known: Agent) -> tuple[int, int, int, int]:
    return known.cost, known.tokens, known.tool_calls, known.error_count


WHOLE = (20_000_000, 2_100, 1, 2)


# -- what is counted


async def test_a_database_and_its_gateway_come_to_what_the_transcript_states(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    gateway.add(KEY, "s-1")
    async with watching(tmp_path, disk, gateway) as app:
        at = now(app)
        await until(lambda: gateway.called("sessions.subscribe"))
        disk.window("s-1", KEY)
        await gateway.begin(KEY, "r1", at)
        await gateway.tool(KEY, "start", "t1", at + 1, name="exec", args={"command": "make"})
        await until(lambda: (known := agent(app)) and known.doing == "exec")
        disk.audit("agent.run.started", "started", "r1", at)
        disk.insert("s-1", disk.header("s-1", at), *a_turn(disk, at), at=at)
        await gateway.tool(KEY, "result", "t1", at + 2, name="exec", isError=True)
        await gateway.end(KEY, at + 5)
        disk.audit("agent.run.finished", "succeeded", "r1", at + 5)
        known = await until(lambda: (found := agent(app)) and found.turn == "closed" and sums(found) == WHOLE and found)
        assert (known.name, known.kind, known.session_id) == ("OpenClaw main", "openclaw", "s-1")
        runs = (await app.daemon.core.queries.runs(CORE)).items
        assert [(run.id, run.status, run.parent) for run in runs] == [("r1", "completed", "s-1")]


async def test_the_same_session_in_files_and_then_in_a_database_counts_once(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        at = now(app)
        entries = [disk.header("s-1", at), *a_turn(disk, at)]
        disk.append("s-1", *entries)
        await until(lambda: (known := agent(app)) and sums(known) == WHOLE)
        disk.insert("s-1", *entries, disk.answer("e6", at + 9, cost=0.5), at=at + 9)
        await until(lambda: (known := agent(app)) and known.cost >= 520_000_000)
        known = agent(app)
        assert known is not None
        assert sums(known) == (520_000_000, 3_150, 1, 2)


async def test_files_that_are_rewritten_and_cut_off_count_once(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        at = now(app)
        entries = [disk.header("s-1", at), *a_turn(disk, at)]
        disk.append("s-1", *entries)
        await until(lambda: (known := agent(app)) and sums(known) == WHOLE)
        disk.file("s-1").unlink()
        compacted = {"type": "compaction", "id": "c1", "timestamp": disk.header("x", at + 6)["timestamp"]}
        disk.append("s-1", entries[0], *entries[3:], compacted, disk.answer("e6", at + 9, cost=0.5))
        await until(lambda: (known := agent(app)) and known.cost == 520_000_000)


async def test_a_half_written_line_waits_for_its_other_half(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        at = now(app)
        disk.append("s-1", disk.header("s-1", at), disk.user("e1", at))
        line = json.dumps(disk.answer("e2", at + 1)) + "\n"
        with disk.file("s-1").open("a") as file:
            file.write(line[:80])
            file.flush()
            await until(lambda: (known := agent(app)) and known.turn == "open")
            file.write(line[80:])
        await until(lambda: (known := agent(app)) and known.cost == 10_000_000)


async def test_what_was_there_before_counts_in_reports_only(tmp_path: Path, disk: Any) -> None:
    clock = FakeClock()
    at = clock.now().wall - 2 * DAY
    disk.insert("s-1", *a_turn(disk, at), at=at)
    disk.insert("s-0", disk.answer("old", at - 9 * DAY, cost=3.0), at=at - 9 * DAY)
    disk.append("s-2", disk.header("s-2", at), disk.answer("e9", at, cost=0.25))
    disk.audit("agent.run.started", "started", "r1", at)
    async with watching(tmp_path, disk, clock=clock) as app:
        known = await until(lambda: (found := agent(app)) and found.cost == 270_000_000 and found)
        assert (known.past_cost, known.last_seen, known.turn) == (270_000_000, 0, "closed")
        assert not (await app.daemon.core.queries.alerts(CORE, AlertFilter())).items


async def test_what_was_written_meanwhile_is_late_and_a_turn_that_ended_has_ended(
    tmp_path: Path, disk: Any
) -> None:
    clock = FakeClock()
    store = {"storage": {"use": "sqlite"}}
    settings = {"sources": {"openclaw": {"state_dir": str(disk.root), "gateway": "", "poll": "50ms"}}}
    async with run_app(tmp_path, {**store, **settings}, clock) as app:
        disk.insert("s-1", *a_turn(disk, now(app))[:3], at=now(app))
        await until(lambda: (known := agent(app)) and known.turn == "open" and known.tool_calls == 1)
    clock.advance(HOUR)
    at = clock.now().wall - 30 * MINUTE
    disk.insert("s-1", disk.answer("e5", at), at=at)
    async with run_app(tmp_path, {**store, **settings}, clock) as app:
        known = await until(lambda: (found := agent(app)) and found.turn == "closed" and found)
        assert known.cost == 20_000_000
        assert known.last_seen < at


async def test_a_gateway_elsewhere_is_the_record_itself(tmp_path: Path, disk: Any, gateway: StandInGateway) -> None:
    gateway.add(KEY, "s-1")
    async with watching(tmp_path, None, gateway) as app:
        at = now(app)
        await until(lambda: gateway.called("sessions.subscribe"))
        await gateway.begin(KEY, "r1", at)
        for entry in a_turn(disk, at):
            await gateway.message(KEY, entry)
            await gateway.message(KEY, entry)
        await gateway.tool(KEY, "result", "t1", at + 2, name="exec", isError=True)
        await gateway.end(KEY, at + 5)
        await until(lambda: (known := agent(app)) and known.turn == "closed" and sums(known) == WHOLE)


async def test_telemetry_of_the_same_calls_does_not_count_beside_transcripts(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        at = now(app)
        told = Event(
            agent_id=ID, type=EventType.COST, at=at, session_id=METRICS_SESSION, rank=3, source="otlp",
            usage=Usage(model="acme-1", cost=20_000_000, input=2_000, output=100),
        )
        await app.daemon.core.ingest.accept([told], CORE)
        disk.insert("s-1", *a_turn(disk, at), at=at)
        await until(lambda: (known := agent(app)) and sums(known) == WHOLE)
        await app.daemon.core.ingest.accept([replace(told, at=at + 1)], CORE)
        known = agent(app)
        assert known is not None
        assert known.cost == 20_000_000


async def test_two_sessions_at_once_are_at_rest_when_both_are(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        at = now(app)
        disk.insert("s-1", disk.user("a1", at), at=at)
        disk.insert("s-2", disk.user("b1", at), disk.answer("b2", at + 1), at=at + 1)
        await until(lambda: (known := agent(app)) and known.cost == 10_000_000)
        known = agent(app)
        assert known is not None
        assert known.turn == "open"
        disk.insert("s-1", disk.answer("a2", at + 2), at=at + 2)
        await until(lambda: (known := agent(app)) and known.turn == "closed")


async def test_a_turn_whose_end_nobody_told_is_over_when_the_gateway_says_that_nothing_runs(
    tmp_path: Path, disk: Any, gateway: StandInGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "RECONCILE_EVERY", 0.05)
    gateway.add(KEY, "s-1", run_id="r1")
    async with watching(tmp_path, disk, gateway) as app:
        disk.insert("s-1", disk.user("e1", now(app)), at=now(app))
        await until(lambda: (known := agent(app)) and known.turn == "open")
        app.clock.advance(2 * MINUTE)  # type: ignore[attr-defined]
        listed = len(gateway.called("sessions.list"))
        await until(lambda: len(gateway.called("sessions.list")) > listed + 2)
        known = agent(app)
        assert known is not None
        assert known.turn == "open"  # it runs
        gateway.sessions[KEY].run_id = None
        await until(lambda: (known := agent(app)) and known.turn == "closed")


async def test_a_gateway_that_did_not_answer_in_time_is_asked_again(
    tmp_path: Path, disk: Any, gateway: StandInGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "RECONCILE_EVERY", 0.05)
    monkeypatch.setattr(connecting.Gateway.request, "__defaults__", (None, 0.1))
    answer, recovered = gateway._call, asyncio.Event()

    async def hang(method: str, params: dict[str, Any]) -> dict[str, Any]:
        result = await answer(method, params)
        await recovered.wait()
        return result

    monkeypatch.setattr(gateway, "_call", hang)
    async with watching(tmp_path, disk, gateway):
        await until(lambda: gateway.called("sessions.subscribe"))
        asyncio.get_running_loop().call_later(0.3, recovered.set)  # it has been given up by then
        await until(lambda: len(gateway.called("sessions.subscribe")) > 1)
        await until(lambda: gateway.called("sessions.list"))


# -- the brake


@asynccontextmanager
async def at_work(
    home: Path, disk: Any, stand_in: StandInGateway, proof_within: str = "100ms", **told: Any
) -> AsyncIterator[App]:
    """An agent whose run is under way."""
    stand_in.add(KEY, "s-1", **told)
    async with watching(home, disk, stand_in, proof_within=proof_within) as app:
        at = now(app)
        await until(lambda: stand_in.called("sessions.subscribe"))
        disk.insert("s-1", disk.user("e1", at), at=at)
        await stand_in.begin(KEY, "r1", at)
        await until(lambda: (known := agent(app)) and known.turn == "open")
        yield app


async def test_a_pause_is_an_abort_and_another_one_at_every_new_start(
    tmp_path: Path, disk: Any, gateway: StandInGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brake, "LOOK_EVERY", 3_600)  # by what the gateway tells alone
    async with at_work(tmp_path, disk, gateway) as app:
        shown = await ask(app, "POST", f"/api/agents/{ID}/pause")
        assert (shown["status"], shown["control"]["kind"]) == ("paused", "reabort")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        assert len(gateway.called("sessions.abort")) == 1
        assert command(app).message == "nothing of it runs any more, after abort"
        await gateway.begin(KEY, "r2", now(app))
        await until(lambda: len(gateway.called("sessions.abort")) == 2)
        await until(lambda: gateway.sessions[KEY].run_id is None)
        shown = await until_shown(app, "1 start aborted of late")
        assert shown["control"]["command"]["state"] == "confirmed"
        await ask(app, "POST", f"/api/agents/{ID}/resume")
        await gateway.begin(KEY, "r3", now(app))
        await gateway.tool(KEY, "start", "t9", now(app), name="exec")
        await until(lambda: (known := agent(app)) and known.doing == "exec")
        assert len(gateway.called("sessions.abort")) == 2


async def until_shown(app: App, said: str) -> Any:
    async with asyncio.timeout(10):
        while said not in (shown := await ask(app, "GET", f"/api/agents/{ID}"))["control"]["described"]:
            await asyncio.sleep(0.02)
    return shown


async def test_a_start_that_the_gateway_did_not_tell_of_is_found_by_looking(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        gateway.sessions[KEY].run_id = "untold"
        await until(lambda: gateway.sessions[KEY].run_id is None)


async def test_a_resume_ends_what_is_being_done_for_the_pause(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway, proof_within="10s", yields_to="nothing") as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: gateway.called("sessions.abort"))
        await ask(app, "POST", f"/api/agents/{ID}/resume")
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: len(gateway.called("sessions.abort")) > 1)
        assert gateway.called("chat.send") == []  # no "/stop" for the first pause


async def test_what_a_paused_agent_does_before_its_abort_is_no_disobedience(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        app.clock.advance(HOUR)  # type: ignore[attr-defined]
        at = now(app)
        await gateway.begin(KEY, "r2", at)
        disk.insert("s-1", disk.user("e8", at), disk.answer("e9", at + 1, stop="aborted"), at=at + 1)
        await until(lambda: (known := agent(app)) and known.cost == 10_000_000)
        await app.settle()
        assert command(app).state is CommandState.CONFIRMED


async def test_an_agent_that_cannot_be_held_is_said_to_go_on(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        app.clock.advance(HOUR)  # type: ignore[attr-defined]
        gateway.sessions[KEY].yields_to = "nothing"
        await gateway.begin(KEY, "r2", now(app))
        await until_events(app, lambda told: [one for one in told if "still runs" in one.get("reason", "")], ID)
        at = now(app)
        disk.insert("s-1", disk.user("e8", at), disk.answer("e9", at + 1, stop="toolUse", call="t8"), at=at + 1)
        await until(lambda: command(app).state is CommandState.FAILED)
        assert command(app).message.startswith("still working")


async def test_an_agent_that_somebody_starts_again_and_again_is_said_to_go_on(
    tmp_path: Path, disk: Any, gateway: StandInGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "MOST", 2)
    async with at_work(tmp_path, disk, gateway) as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        app.clock.advance(MINUTE)  # type: ignore[attr-defined]
        for number in (1, 2):
            await gateway.begin(KEY, f"again-{number}", now(app))
            await until_events(app, lambda told, so_many=number: [t for t in told if t.get("times") == so_many], ID)
        at = now(app)
        disk.insert("s-1", disk.user("e8", at), disk.answer("e9", at + 1, stop="aborted"), at=at + 1)
        await until(lambda: command(app).state is CommandState.FAILED)


async def test_an_agent_that_cannot_be_held_is_not_asked_again_at_once(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway, yields_to="nothing") as app:
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        await until(lambda: command(app).state is CommandState.FAILED)
        asked, listed = len(gateway.called("chat.send")), len(gateway.called("sessions.list"))
        await until(lambda: len(gateway.called("sessions.list")) > listed + 3)
        assert len(gateway.called("chat.send")) == asked == 1
        gateway.sessions[KEY].yields_to = "sessions.abort"
        app.clock.advance(MINUTE)  # type: ignore[attr-defined]
        await until(lambda: gateway.sessions[KEY].run_id is None)


async def test_a_pause_that_was_asked_while_the_gateway_was_away_is_done_when_it_is_back(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        await gateway.stop()
        await until_shown(app, "once the gateway can be reached")
        await ask(app, "POST", f"/api/agents/{ID}/pause")
        assert command(app).state is CommandState.REQUESTED
        await gateway.start()
        await until(lambda: command(app).state is CommandState.CONFIRMED)


async def test_a_stop_that_works_is_confirmed_and_the_next_prompt_is_a_new_start(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        await ask(app, "POST", f"/api/agents/{ID}/stop")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        known = agent(app)
        assert known is not None
        assert (known.status, known.control) == ("stopped", Control.STOPPED)
        at = now(app) + 1
        app.clock.advance(10)  # type: ignore[attr-defined]
        disk.insert("s-1", disk.user("e8", at), at=at)
        await until(lambda: (known := agent(app)) and known.control is Control.RUN and known.status == "running")
        assert len(gateway.called("sessions.abort")) == 1


async def test_a_stop_that_fails_says_what_still_runs(tmp_path: Path, disk: Any, gateway: StandInGateway) -> None:
    async with at_work(tmp_path, disk, gateway, yields_to="nothing") as app:
        await ask(app, "POST", f"/api/agents/{ID}/stop")
        await until(lambda: command(app).state is CommandState.FAILED)
        assert "1 session of it still runs after archive: agent:main:main" in command(app).message
        assert [name for name, _ in gateway.calls if name in ("sessions.abort", "chat.send")] == [
            "sessions.abort", "chat.send",
        ]


@pytest.mark.parametrize(("rung", "said"), [("chat.abort", "/stop"), ("chat.send", "/stop")])
async def test_a_rung_that_fails_is_followed_by_the_next(
    tmp_path: Path, disk: Any, gateway: StandInGateway, rung: str, said: str
) -> None:
    async with at_work(tmp_path, disk, gateway, yields_to="chat.send") as app:
        await ask(app, "POST", f"/api/agents/{ID}/stop")
        await until(lambda: command(app).state is CommandState.CONFIRMED)
        assert command(app).message == f"nothing of it runs any more, after {said}"


async def test_without_a_gateway_nothing_can_be_paused_and_that_is_said(tmp_path: Path, disk: Any) -> None:
    async with watching(tmp_path, disk) as app:
        disk.insert("s-1", disk.user("e1", now(app)), at=now(app))
        await until(lambda: agent(app))
        shown = await ask(app, "POST", f"/api/agents/{ID}/pause")
        assert shown["control"]["kind"] == "none"
        assert shown["control"]["command"]["state"] == "unsupported"
        assert "no gateway is set" in shown["control"]["described"]
        assert shown["control"]["enforcement"] == "none"


async def test_a_gateway_that_grants_no_writing_cannot_pause(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    gateway.scopes = ("operator.read",)
    async with at_work(tmp_path, disk, gateway) as app:
        known = agent(app)
        assert known is not None
        assert app.daemon.core.queries.controlling(known).kind is ControlKind.NONE
        _, asked = await app.daemon.core.commands.control(ID, CommandType.PAUSE, CORE)
        assert asked is not None
        assert asked.state is CommandState.UNSUPPORTED


async def test_what_telemetry_tells_of_nobody_in_particular_cannot_be_paused(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    async with at_work(tmp_path, disk, gateway) as app:
        told = Event(
            agent_id="openclaw:gateway", type=EventType.HEARTBEAT, at=now(app), source="otlp",
            facts=Facts(kind="openclaw"),
        )
        await app.daemon.core.ingest.accept([told], CORE)
        known = agent(app, "openclaw:gateway")
        assert known is not None
        assert app.daemon.core.queries.controlling(known).kind is ControlKind.NONE


async def test_an_agent_whose_id_had_to_be_shortened_is_found_by_its_own_name(
    tmp_path: Path, disk: Any, gateway: StandInGateway
) -> None:
    name = "x" * 200
    gateway.add(f"agent:{name}:main", "s-9", agent_id=name, run_id="r9")
    async with at_work(tmp_path, disk, gateway) as app:
        disk.insert("s-9", disk.user("e1", now(app)), at=now(app), agent=name)
        known = await until(lambda: agent(app, agent_key("openclaw", name)))
        assert known.id != f"openclaw:{name}"
        await app.daemon.core.commands.control(known.id, CommandType.STOP, CORE)
        await until(lambda: gateway.sessions[f"agent:{name}:main"].run_id is None)


# -- the gateway itself


async def test_the_gateway_is_an_agent_whose_life_is_probed(tmp_path: Path, gateway: StandInGateway) -> None:
    async with watching(tmp_path, None, gateway) as app:
        known = await until(lambda: agent(app, "openclaw"))
        assert (known.kind, known.status) == ("openclaw-gateway", "running")
        gateway.uptime_ms = 5
        page = await until_events(app, lambda told: [one for one in told if one.get("reason") == "restarted"])
        assert page[0]["uptimeMs"] == 5


async def test_a_gateway_that_is_healthy_and_lets_nobody_in_is_half_alive(
    tmp_path: Path, gateway: StandInGateway
) -> None:
    gateway.is_mute = True
    async with watching(tmp_path, None, gateway) as app:
        known = await until(lambda: (found := agent(app, "openclaw")) and found.error_count and found)
        assert known.status == "error"


async def until_events(
    app: App, found: Callable[[list[dict[str, Any]]], Any], agent_id: str = "openclaw"
) -> Any:
    async def told() -> list[dict[str, Any]]:
        page = await app.daemon.core.queries.events(CORE, EventFilter(agent_id=agent_id), limit=200)
        return [entry.body.data for entry in page.items]  # type: ignore[union-attr]

    return await _until(told, found)


async def _until(ask_for: Callable[[], Awaitable[Any]], found: Callable[[Any], Any]) -> Any:
    async with asyncio.timeout(10):
        while not (value := found(await ask_for())):
            await asyncio.sleep(0.02)
    return value


async def test_health_says_how_the_gateway_is(tmp_path: Path, disk: Any, gateway: StandInGateway) -> None:
    gateway.approved = False
    async with watching(tmp_path, disk, gateway) as app:
        async def services() -> Any:
            return (await ask(app, "GET", "/health"))["services"]["sources.openclaw"]

        assert await _until(services, lambda state: state == "device not approved")
        gateway.approved = True
        assert await _until(services, lambda state: state == "ok")
