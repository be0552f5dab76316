"""Commands: asked, handed out, answered, each with its true state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Control, Status
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind, in_words
from clawatch.domain.events import Activity, EventType
from clawatch.domain.time import MINUTE, SECOND
from clawatch.ports import Conflict, Forbidden, NotFound
from clawatch.testing.memory import MemoryStore


@pytest.fixture
async def bench(bench_with: Any) -> Any:
    bench = await bench_with()
    await bench.say()
    return bench


async def test_pause_is_wanted_at_once_and_confirmed_only_by_an_answer(bench: Any, owner: Principal) -> None:
    agent, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    assert (agent.status, command.state) == (Status.PAUSED, CommandState.REQUESTED)
    (taken,) = await bench.commands.take("a", owner)
    assert taken.state is CommandState.DELIVERED
    done = await bench.commands.result(taken.id, CommandState.CONFIRMED, "all stopped", {"processes": 3}, owner)
    assert (done.state, done.message, done.data) == (CommandState.CONFIRMED, "all stopped", {"processes": 3})
    assert bench.fleet.get("a").activity is Activity.PAUSED


async def test_what_is_so_already_makes_no_second_command(bench: Any, owner: Principal) -> None:
    _, first = await bench.commands.control("a", CommandType.PAUSE, owner)
    _, second = await bench.commands.control("a", CommandType.PAUSE, owner)
    assert second == first


async def test_resume_of_an_agent_that_is_not_paused_changes_nothing(bench: Any, owner: Principal) -> None:
    head = bench.store.head
    agent, command = await bench.commands.control("a", CommandType.RESUME, owner)
    assert (agent.status, command, bench.store.head) == (Status.RUNNING, None, head)


async def test_a_newer_verb_replaces_the_older(bench: Any, owner: Principal) -> None:
    _, pause = await bench.commands.control("a", CommandType.PAUSE, owner)
    _, resume = await bench.commands.control("a", CommandType.RESUME, owner)
    assert [c.id for c in await bench.commands.take("a", owner)] == [resume.id]
    old = await bench.store.command(pause.id)
    assert (old.state, old.message) == (CommandState.EXPIRED, "superseded by resume")


async def test_a_delivered_command_is_handed_out_again_until_it_is_answered(bench: Any, owner: Principal) -> None:
    await bench.commands.control("a", CommandType.PAUSE, owner)
    assert len(await bench.commands.take("a", owner)) == 1
    bench.clock.advance(30 * SECOND - 1)
    assert not await bench.commands.take("a", owner)
    bench.clock.advance(1)
    assert len(await bench.commands.take("a", owner)) == 1


async def test_a_waiting_agent_is_handed_its_command_at_once(bench: Any, owner: Principal) -> None:
    waiting = asyncio.ensure_future(bench.commands.take("a", owner, wait=5.0))
    await asyncio.sleep(0)
    _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    assert [c.id for c in await waiting] == [command.id]


async def test_waiting_ends_empty_handed_when_its_time_is_over(bench: Any, owner: Principal) -> None:
    assert await bench.commands.take("a", owner, wait=0.01) == []


async def test_a_final_state_is_final(bench: Any, owner: Principal) -> None:
    _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    await bench.commands.result(command.id, CommandState.FAILED, "no", None, owner)
    with pytest.raises(Conflict, match="final"):
        await bench.commands.result(command.id, CommandState.CONFIRMED, "", None, owner)


async def test_under_native_control_the_agents_own_word_is_a_claim(bench: Any, owner: Principal) -> None:
    bench.controller.is_kind = ControlKind.NATIVE
    _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    claimed = await bench.commands.result(command.id, CommandState.CONFIRMED, "", None, owner)
    assert claimed.state is CommandState.CLAIMED
    settled = await bench.commands.settle(command.id, CommandState.CONFIRMED)
    assert settled.state is CommandState.CONFIRMED


async def test_an_agent_nobody_can_control_says_so(bench: Any, owner: Principal) -> None:
    bench.controller.is_kind = ControlKind.NONE
    agent, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    assert agent.control is Control.PAUSED
    assert in_words(command) == "cannot be paused"


async def test_commands_expire_but_a_pause_lasts_until_replaced(bench: Any, owner: Principal) -> None:
    _, pause = await bench.commands.control("a", CommandType.PAUSE, owner)
    asked = await bench.commands.send("a", CommandType.GET_STATUS, {"verbose": True}, owner)
    await bench.turn(10 * MINUTE)
    assert (await bench.store.command(asked.id)).state is CommandState.EXPIRED
    assert (await bench.store.command(pause.id)).state is CommandState.REQUESTED


async def test_after_a_confirmed_stop_the_next_start_is_a_new_run(bench: Any, owner: Principal) -> None:
    await bench.commands.control("a", CommandType.STOP, owner)
    await bench.say(type=EventType.STATUS_CHANGE, activity=Activity.STOPPED)
    await bench.turn(SECOND)
    assert bench.fleet.get("a").status is Status.STOPPED
    await bench.say()
    assert bench.fleet.get("a").control is Control.STOPPED, "a stray heartbeat is no new start"
    await bench.say(type=EventType.STATUS_CHANGE, activity=Activity.RUNNING)
    assert bench.fleet.get("a").status is Status.RUNNING


async def test_open_commands_survive_a_restart(bench_with: Any, owner: Principal) -> None:
    store = MemoryStore()
    before = await bench_with(store=store)
    await before.say()
    _, command = await before.commands.control("a", CommandType.PAUSE, owner)
    after = await bench_with(store=store)
    assert [c.id for c in await after.commands.take("a", owner)] == [command.id]
    assert after.commands.latest("a").id == command.id


class TestRights:
    async def test_control_needs_its_scope(self, bench: Any, owner: Principal) -> None:
        reader = replace(owner, scopes=frozenset({Scope.READ}))
        with pytest.raises(Forbidden, match="scope control"):
            await bench.commands.control("a", CommandType.PAUSE, reader)

    async def test_a_foreign_agent_is_as_good_as_unknown(self, bench: Any, owner: Principal) -> None:
        stranger = replace(owner, agents=("b*",))
        with pytest.raises(NotFound):
            await bench.commands.control("a", CommandType.PAUSE, stranger)
        with pytest.raises(NotFound):
            await bench.commands.take("a", stranger)
        _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
        with pytest.raises(NotFound):
            await bench.commands.result(command.id, CommandState.CONFIRMED, "", None, stranger)


@pytest.mark.parametrize("type", list(CommandType))
@pytest.mark.parametrize("state", list(CommandState))
def test_every_state_has_words(type: CommandType, state: CommandState) -> None:
    command = Command(
        id="cmd_1", agent_id="a", type=type, state=state, requested_at=0, requested_by="me", changed_at=0
    )
    assert in_words(command)
