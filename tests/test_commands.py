"""Commands: asked, handed out, answered, each with its true state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from clawatch import commands
from clawatch.alerting.outbox import Outbox
from clawatch.deeds import Deeds
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Control, Status
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind, in_words
from clawatch.domain.events import Activity, EventType
from clawatch.domain.journal import Entry, Unit
from clawatch.domain.redaction import Redactor
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


async def test_what_comes_with_a_control_verb_goes_to_the_agent_with_it(bench: Any, owner: Principal) -> None:
    await bench.commands.control("a", CommandType.STOP, owner, parameters={"graceful": True})
    (taken,) = await bench.commands.take("a", owner)
    assert taken.parameters == {"graceful": True}
    await bench.commands.send("a", CommandType.RESTART, {"delay": 5}, owner)
    (taken,) = await bench.commands.take("a", owner)
    assert (taken.type, taken.parameters) == (CommandType.RESTART, {"delay": 5})


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


async def test_two_that_wait_for_one_agent_miss_nothing_and_share_nothing(bench: Any, owner: Principal) -> None:
    impatient = asyncio.ensure_future(bench.commands.take("a", owner, wait=0.01))
    patient = asyncio.ensure_future(bench.commands.take("a", owner, wait=5.0))
    assert await impatient == []
    third = asyncio.ensure_future(bench.commands.take("a", owner, wait=0.2))
    await asyncio.sleep(0)
    _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
    async with asyncio.timeout(3):
        handed = [*await patient, *await third]
    assert [one.id for one in handed] == [command.id]


class SlowStore(MemoryStore):
    """Gives others a turn between looking and writing, as a store on a disk does."""

    async def command(self, command_id: str) -> Command | None:
        await asyncio.sleep(0)
        return await super().command(command_id)

    async def commit(self, unit: Unit, now: int) -> list[Entry]:
        await asyncio.sleep(0)
        return await super().commit(unit, now)


class TestAtTheSameTime:
    @pytest.fixture
    async def bench(self, bench_with: Any) -> Any:
        bench = await bench_with(store=SlowStore())
        await bench.say()
        return bench

    async def test_a_command_is_handed_out_once(self, bench: Any, owner: Principal) -> None:
        await bench.commands.control("a", CommandType.RESTART, owner)
        first, second = await asyncio.gather(*(bench.commands.take("a", owner) for _ in range(2)))
        assert len(first) + len(second) == 1

    async def test_only_one_result_counts(self, bench: Any, owner: Principal) -> None:
        _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
        results = await asyncio.gather(
            *(
                bench.commands.result(command.id, state, "", None, owner)
                for state in (CommandState.CONFIRMED, CommandState.FAILED)
            ),
            return_exceptions=True,
        )
        assert isinstance(results[1], Conflict)
        assert (await bench.store.command(command.id)).state is CommandState.CONFIRMED

    async def test_what_is_superseded_is_not_handed_out_after_that(self, bench: Any, owner: Principal) -> None:
        _, pause = await bench.commands.control("a", CommandType.PAUSE, owner)
        await asyncio.gather(
            bench.commands.control("a", CommandType.RESUME, owner), bench.commands.take("a", owner)
        )
        assert (await bench.store.command(pause.id)).state is CommandState.EXPIRED


class TestCarrying:
    async def test_what_was_asked_just_before_a_crash_is_carried_after_it(
        self, bench_with: Any, owner: Principal
    ) -> None:
        store = MemoryStore()
        before = await bench_with(store=store)
        await before.say()

        async def crash(command: Command, agent: Any) -> None:
            raise asyncio.CancelledError

        before.controller.carry = crash
        with pytest.raises(asyncio.CancelledError):
            await before.commands.control("a", CommandType.PAUSE, owner)
        after = await bench_with(store=store)
        after.commands.launch_open()
        await after.commands.carried()
        assert [command.type for command in after.controller.carried] == [CommandType.PAUSE]

    async def test_a_controller_that_raises_has_failed_the_command(self, bench: Any, owner: Principal) -> None:
        async def broken(command: Command, agent: Any) -> None:
            raise RuntimeError("secret")

        bench.controller.carry = broken
        agent, command = await bench.commands.control("a", CommandType.PAUSE, owner)
        assert (agent.control, command.state) == (Control.PAUSED, CommandState.FAILED)
        assert command.message == "the controller raised RuntimeError"

    async def test_a_controller_may_settle_the_command_itself(self, bench: Any, owner: Principal) -> None:
        async def carry(command: Command, agent: Any) -> None:
            await bench.commands.settle(command.id, CommandState.CONFIRMED, "done already")

        bench.controller.carry = carry
        _, command = await bench.commands.control("a", CommandType.PAUSE, owner)
        assert command.id == bench.commands.latest("a").id
        assert bench.commands.latest("a").state is CommandState.CONFIRMED


async def test_a_removed_agent_takes_its_commands_with_it(bench_with: Any, owner: Principal) -> None:
    store = MemoryStore()
    before = await bench_with(store=store)
    await before.say()
    _, command = await before.commands.control("a", CommandType.PAUSE, owner)
    outbox = Outbox([], before.clock, structlog.get_logger())
    deeds = Deeds(before.commands, before.desk, before.fleet, outbox, Redactor())
    await deeds.remove_agent("a", owner)
    assert (await store.command(command.id)).message == "the agent was removed"
    after = await bench_with(store=store)
    await after.say()
    assert await after.commands.take("a", owner) == []


async def test_a_pause_is_known_after_a_restart_however_much_was_asked_of_others_since(
    bench_with: Any, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "RECENT", 3)
    store = MemoryStore()
    before = await bench_with(store=store)
    await before.say()
    await before.say("b")
    _, pause = await before.commands.control("a", CommandType.PAUSE, owner)
    await before.commands.result(pause.id, CommandState.CONFIRMED, "", None, owner)
    for _ in range(5):
        before.clock.advance(1)
        await before.commands.send("b", CommandType.GET_STATUS, {}, owner)
    after = await bench_with(store=store)
    assert after.commands.latest("a").id == pause.id
