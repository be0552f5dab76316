"""A paused session is refused to go on, in the words Claude Code understands, and its pause is confirmed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from clawatch_plugins.claude_code.ageing import stop_idle_sessions
from clawatch_plugins.claude_code.backlog import Backlog, Item
from clawatch_plugins.claude_code.brake import Brake
from clawatch_plugins.claude_code.controller import HooksController
from clawatch_plugins.claude_code.door import HooksSettings, open_hooks

from clawatch.domain.agents import Status
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Facts, Turn
from clawatch.domain.time import MINUTE, SECOND

SESSION = "0f0e0d0c-0000-4000-8000-00000000abcd"
AGENT = f"claude-code:{SESSION}"
TEXT = "ClaWatch has paused this session. Its owner can resume it in ClaWatch."


class Session:
    """Claude Code's side: it calls its hooks."""

    def __init__(self, world: Any, client: Any, tools: SimpleNamespace) -> None:
        self.world, self._client, self._tools = world, client, tools

    async def hook(self, name: str, **fields: Any) -> tuple[int, bytes]:
        body = {"hook_event_name": name, "session_id": SESSION, "prompt_id": "p1", **fields}
        async with self._client.post("/hooks/claude-code", json=body) as answer:
            return answer.status, await answer.read()

    async def pause(self, verb: CommandType = CommandType.PAUSE) -> Command:
        _, command = await self.world.commands.control(AGENT, verb, self._tools.owner)
        return command

    @property
    def command(self) -> Command:
        return self.world.commands.latest(AGENT)

    async def until(self, **facts: Any) -> None:
        def holds() -> bool:
            agent = self.world.fleet.get(AGENT)
            return agent is not None and all(getattr(agent, key) == value for key, value in facts.items())

        await self._tools.until(holds)

    async def until_command(self, state: CommandState) -> None:
        await self._tools.until(lambda: self.command.state is state)


@pytest.fixture
async def session(world: Any, tools: SimpleNamespace) -> AsyncIterator[Session]:
    async with open_hooks(HooksSettings(), world.core) as api:
        client = await world.serve(api)
        yield Session(world, client, tools)


async def test_a_session_that_is_not_paused_is_answered_with_nothing(session: Session) -> None:
    for name in ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd", "Unheard"):
        assert await session.hook(name, tool_name="Bash") == (200, b"")
    await session.until(status=Status.STOPPED)


async def test_a_paused_session_is_refused_its_next_call(session: Session) -> None:
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    assert (await session.pause()).state is CommandState.REQUESTED
    status, answer = await session.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    assert status == 200
    assert json.loads(answer) == {
        "continue": False,
        "stopReason": TEXT,
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": TEXT,
        },
    }
    await session.until_command(CommandState.DELIVERED)


async def test_a_paused_session_is_refused_a_prompt(session: Session) -> None:
    await session.hook("Stop")
    await session.until(turn=Turn.CLOSED)
    assert (await session.pause()).state is CommandState.CONFIRMED
    _, answer = await session.hook("UserPromptSubmit", prompt="go on")
    assert json.loads(answer) == {"continue": False, "stopReason": TEXT, "decision": "block", "reason": TEXT}
    await session.hook("SubagentStop")
    await session.until(turn=Turn.CLOSED, status=Status.PAUSED)


async def test_a_stopped_session_is_refused_as_a_paused_one(session: Session) -> None:
    await session.hook("Stop")
    await session.until(turn=Turn.CLOSED)
    await session.pause(CommandType.STOP)
    assert (await session.hook("PreToolUse", tool_name="Bash"))[1] != b""


@pytest.mark.parametrize("name", ["PostToolUse", "Stop", "Notification", "SubagentStop"])
async def test_other_hooks_of_a_paused_session_are_answered_with_nothing(session: Session, name: str) -> None:
    await session.hook("Stop")
    await session.until(turn=Turn.CLOSED)
    await session.pause()
    assert await session.hook(name) == (200, b"")


@pytest.mark.parametrize("name", ["Stop", "StopFailure", "SessionEnd"])
async def test_the_end_of_the_turn_confirms_the_pause(session: Session, name: str) -> None:
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    await session.pause()
    await session.hook(name)
    await session.until_command(CommandState.CONFIRMED)
    assert session.command.message == f"{name} was reported"


async def test_a_refused_session_that_falls_quiet_has_obeyed(session: Session) -> None:
    world = session.world
    brake = Brake(world.core.queries, world.commands, world.ingest)
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    await session.pause()
    brake.saw(world.only, world.clock.now(), is_refused=True)
    await brake.tick(world.clock.advance(14 * SECOND))
    assert session.command.state is CommandState.REQUESTED
    brake.saw(world.only, world.clock.now(), is_refused=False)
    await brake.tick(world.clock.advance(14 * SECOND))
    assert session.command.state is CommandState.REQUESTED
    await brake.tick(world.clock.advance(SECOND))
    assert session.command.state is CommandState.CONFIRMED
    assert (world.only.turn, world.only.last_seen < world.clock.now().wall) == (Turn.CLOSED, True)


async def test_a_resumed_session_goes_on_at_once(session: Session) -> None:
    await session.hook("Stop")
    await session.until(turn=Turn.CLOSED)
    await session.pause()
    assert (await session.pause(CommandType.RESUME)).state is CommandState.CONFIRMED
    assert await session.hook("PreToolUse", tool_name="Bash") == (200, b"")


async def test_a_refused_call_is_no_work(session: Session) -> None:
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    await session.pause()
    await session.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    await session.until_command(CommandState.DELIVERED)
    (call,) = [
        entry.body for entry in await session.world.store.read(0, 100)
        if isinstance(entry.body, Event) and entry.body.type is EventType.TOOL_CALL
    ]
    assert (call.is_progress, call.tool.is_blocked) == (False, True)


async def test_the_answer_does_not_wait_for_the_store(session: Session) -> None:
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    await session.pause()
    session.world.ingest.is_down = True
    assert (await session.hook("PreToolUse", tool_name="Bash", tool_use_id="t1"))[0] == 200


async def test_what_the_store_could_not_take_is_kept_in_order(world: Any, tools: SimpleNamespace) -> None:
    backlog = Backlog(world.ingest, world.core.log, size=3)
    at = world.clock.now().wall
    done: list[str] = []

    async def then() -> None:
        done.append("then")

    for turn in (Turn.OPEN, Turn.CLOSED, Turn.OPEN, Turn.WAITING):
        event = Event(agent_id="a", type=EventType.HEARTBEAT, at=at, turn=turn)
        backlog.put(Item(event, tools.key, then))
    assert len(backlog) == 3
    world.ingest.is_down = True
    assert not await backlog.flush()
    world.ingest.is_down = False
    assert await backlog.flush()
    assert (world.only.turn, done) == (Turn.OPEN, ["then"] * 3)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b'{"session_id":"a"}', 400)],
)
async def test_a_bad_body_is_refused_in_words(session: Session, body: bytes, status: int) -> None:
    async with session._client.post("/hooks/claude-code", data=body) as answer:
        assert answer.status == status
        assert list(await answer.json()) == ["error"]


async def test_the_agent_may_be_named_in_the_address(session: Session, tools: SimpleNamespace) -> None:
    body = {"hook_event_name": "Stop", "session_id": SESSION}
    async with session._client.post("/hooks/claude-code?agent=my-laptop", json=body) as answer:
        assert answer.status == 200
    await tools.until(lambda: len(session.world.fleet) == 1)
    assert (session.world.only.id, session.world.only.session_id) == ("my-laptop", SESSION)
    async with session._client.post("/hooks/claude-code?agent=" + "x" * 201, json=body) as answer:
        assert answer.status == 400


async def test_what_was_answered_is_stored_when_the_door_closes(world: Any) -> None:
    async with open_hooks(HooksSettings(), world.core) as api:
        client = await world.serve(api)
        for number in range(20):
            body = {"hook_event_name": "Stop", "session_id": f"s{number}"}
            (await client.post("/hooks/claude-code", json=body)).release()
    assert len(world.fleet) == 20


async def test_with_hooks_the_logs_no_longer_guess_the_turn(session: Session, world: Any) -> None:
    await session.hook("UserPromptSubmit")
    await session.until(turn=Turn.OPEN)
    assert (f"claude-code:{SESSION}", SESSION) in world.vocabulary.sessions.hooked


def _known(sources: tuple[str, ...], turn: Turn = Turn.NONE, kind: str = "claude-code") -> Any:
    from clawatch.domain.agents import Agent

    return Agent(id="a", name="a", created_at=0, sources=sources, turn=turn, kind=kind)


def test_control_is_native_once_hooks_have_called() -> None:
    controller = HooksController()
    assert controller.kind(_known(("otlp", "claude_code_hooks"))) == "native"
    assert controller.describe(_known(("claude_code_hooks",))) == "native (while ClaWatch answers)"
    assert controller.kind(_known(("otlp",))) == "none"
    assert controller.kind(_known(("claude_code",))) == "none"
    assert controller.kind(_known(())) is None
    assert controller.describe(_known(("otlp",))) == "cannot be paused: connect its hooks"
    assert controller.kind(_known(("clawatch", "otlp"))) is None
    assert controller.kind(_known(("otlp",), kind="codex")) is None


@pytest.mark.parametrize(
    ("turn", "state"),
    [(Turn.NONE, "confirmed"), (Turn.CLOSED, "confirmed"), (Turn.OPEN, None), (Turn.WAITING, None)],
)
async def test_a_pause_between_turns_is_confirmed_at_once(turn: Turn, state: str | None) -> None:
    command = Command(
        id="c", agent_id="a", type=CommandType.PAUSE, state=CommandState.REQUESTED, requested_at=0, requested_by="o",
        changed_at=0,
    )
    assert await HooksController().carry(command, _known(("claude_code_hooks",), turn)) == state


async def test_what_hooks_cannot_do_is_said(session: Session, tools: SimpleNamespace) -> None:
    await session.hook("Stop")
    await session.until(turn=Turn.CLOSED)
    command = await session.world.commands.send(AGENT, CommandType.EXECUTE, {}, tools.owner)
    assert command.state is CommandState.UNSUPPORTED


async def test_a_session_at_rest_for_half_an_hour_counts_as_stopped(world: Any) -> None:
    facts = Facts(kind="claude-code")

    def event(agent: str, turn: Turn, kind: Facts | None = facts) -> Event:
        at = world.clock.now().wall
        return Event(agent_id=agent, type=EventType.HEARTBEAT, at=at, turn=turn, facts=kind, source="otlp")

    await world.say(event("rests", Turn.CLOSED), event("works", Turn.OPEN), event("other", Turn.CLOSED, None))
    seen = world.fleet.get("rests").last_seen
    world.clock.advance(30 * MINUTE - 1)
    await stop_idle_sessions(world.core)
    assert world.fleet.get("rests").activity is Activity.IDLE
    world.clock.advance(1)
    await stop_idle_sessions(world.core)
    statuses = {agent.id: agent.status for agent in world.fleet}
    assert statuses == {"rests": "stopped", "works": "running", "other": "idle"}
    assert world.fleet.get("rests").last_seen == seen
    await world.say(event("rests", Turn.OPEN))
    assert world.fleet.get("rests").status is Status.RUNNING


async def test_the_background_work_survives_what_it_did_not_expect(world: Any, tools: SimpleNamespace) -> None:
    class Broken:
        async def accept(self, events: Any, principal: Any) -> Any:
            raise RuntimeError("a bug")

    backlog = Backlog(Broken(), world.core.log)
    backlog.put(Item(Event(agent_id="a", type=EventType.HEARTBEAT, at=1), tools.key))
    task = asyncio.create_task(backlog.run())
    await tools.until(lambda: len(backlog) == 0)
    task.cancel()
