"""Work: asked for, given to agents, followed to its end, and kept over a restart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from clawatch.commands import Commands
from clawatch.domain.access import Principal, Scope
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.domain.events import Activity, EventType, Facts, RunReport
from clawatch.domain.journal import RunChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import MINUTE, SECOND
from clawatch.domain.work import LEARNING, Order, Record
from clawatch.fleet import Fleet
from clawatch.ports import Conflict, Forbidden, Invalid, NotFound, TooMany
from clawatch.work import Work
from clawatch.work import desk as desk_module

ORDER = Order(for_kind="commerce", input={"prompt": "price the roses"})
NOW_ONLY = Order(for_kind="commerce", input={"prompt": "price the roses"}, waits=False)
LIMITED = Principal(name="few", user="fay", scopes=frozenset(Scope), agents=("shop-*",))


@dataclass
class Floor:
    """The core, agents that answer what they are told to answer, and the desk."""

    bench: Any
    work: Work
    owner: Principal

    async def arrive(self, agent_id: str, kind: str = "", *capabilities: str, **labels: str) -> None:
        facts = Facts(kind=kind, capabilities=capabilities or None, labels=labels or None)
        await self.bench.say(agent_id, facts=facts)

    async def turn(self, by: int = 0) -> None:
        """Everybody has their turn until nothing changes any more."""
        self.bench.clock.advance(by)
        for _ in range(4):
            await self.bench.turn()
            await self.work.step()
        await self.bench.commands.carried()

    async def take(self, agent_id: str) -> list[Command]:
        return list(await self.bench.commands.take(agent_id, self.owner))

    async def answer(
        self, command: Command, data: Any = None, state: CommandState = CommandState.CONFIRMED, message: str = ""
    ) -> None:
        await self.bench.commands.result(command.id, state, message, data, self.owner)
        await self.turn()

    async def report(self, agent_id: str, run_id: str, **report: Any) -> None:
        await self.bench.say(agent_id, EventType.RUN, run=RunReport(run_id=run_id, **report))
        await self.turn()

    async def run(self, run: Run) -> Run:
        found = await self.bench.store.run(run.id, ("*", ""))
        assert found is not None
        return found  # type: ignore[no-any-return]

    async def history(self, run: Run) -> list[tuple[str, str, str]]:
        """(status, stage, agent) of every row of the journal that tells of this run, repetitions left out."""
        told = [e.body.run for e in await self.bench.store.read(0, 10_000) if isinstance(e.body, RunChanged)]
        seen = [(str(r.status), r.stage, r.agent_id) for r in told if r.id == run.id]
        return [one for at, one in enumerate(seen) if not at or one != seen[at - 1]]

    async def restart(self) -> Floor:
        """Another life over the same store."""
        fleet = Fleet(await self.bench.store.agents())
        commands = Commands(self.bench.store, fleet, self.bench.clock, [self.bench.controller])
        await commands.load()
        work = Work(self.bench.store, fleet, commands, self.bench.clock)
        await work.load()
        for listener in (fleet.apply, commands.apply, work.apply):
            self.bench.store.listen(listener)
        self.bench.fleet, self.bench.commands = fleet, commands
        self.bench.rules._fleet, self.bench.rules._commands = fleet, commands
        return Floor(self.bench, work, self.owner)


@pytest.fixture
async def floor(bench_with: Any, owner: Principal) -> Floor:
    bench = await bench_with()
    work = Work(bench.store, bench.fleet, bench.commands, bench.clock)
    await work.load()
    bench.store.listen(work.apply)
    return Floor(bench, work, owner)


class TestATask:
    async def test_waits_without_an_agent_until_one_of_its_kind_comes(self, floor: Floor) -> None:
        run = await floor.work.submit(ORDER, floor.owner)
        assert (run.status, run.agent_id, run.by) == (RunStatus.PENDING, "", floor.owner.user)
        await floor.arrive("c1", "creative")
        await floor.turn()
        assert (await floor.run(run)).agent_id == ""
        await floor.arrive("s1", "commerce")
        await floor.turn()
        assert (await floor.run(run)).agent_id == "s1"
        [command] = await floor.take("s1")
        assert (command.type, command.requested_by) == (CommandType.EXECUTE, floor.owner.user)
        assert command.parameters == {"prompt": "price the roses", "runId": run.id}

    async def test_is_running_when_its_agent_has_taken_it_and_completed_when_it_says_so(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        assert (run.status, run.agent_id) == (RunStatus.PENDING, "s1")
        [command] = await floor.take("s1")
        await floor.turn(SECOND)
        await floor.report("s1", run.id, progress=0.45)
        assert ((await floor.run(run)).status, (await floor.run(run)).progress) == (RunStatus.RUNNING, 0.45)
        await floor.turn(4 * SECOND)
        await floor.answer(command, {"result": "done"})
        done = await floor.run(run)
        assert (done.status, done.progress, done.result) == (RunStatus.COMPLETED, 1.0, {"result": "done"})
        assert done.ended_at - done.started_at == 5 * SECOND
        assert [status for status, _, _ in await floor.history(run)] == ["pending", "running", "completed"]
        assert floor.work.record("s1") == Record(completed=1, duration=5 * SECOND)

    @pytest.mark.parametrize(("state", "message", "error"), [
        (CommandState.FAILED, "out of roses", "out of roses"),
        (CommandState.FAILED, "", "the agent s1 failed at it"),
        (CommandState.UNSUPPORTED, "", "the agent s1 cannot do this"),
    ])  # fmt: skip
    async def test_fails_with_its_agents_words(self, floor: Floor, state: Any, message: str, error: str) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.answer(command, state=state, message=message)
        failed = await floor.run(run)
        assert (failed.status, failed.error) == (RunStatus.FAILED, error)
        assert floor.work.record("s1").failed == 1

    async def test_may_be_ended_by_the_agents_own_report(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.answer(command, {"status": "running"})
        assert (await floor.run(run)).status is RunStatus.RUNNING
        await floor.report("s1", run.id, status="completed", result=[1, 2])
        done = await floor.run(run)
        assert (done.status, done.result) == (RunStatus.COMPLETED, [1, 2])
        assert floor.work.held_by("s1") == []

    async def test_stays_what_was_asked_for_whatever_its_agent_says_of_it(self, floor: Floor) -> None:
        """Else an agent that may only report could make a competition of it, and have others asked."""
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        forged = {"entries": [], "judgeId": "victim", "scoringId": ""}
        await floor.report(
            "s1", run.id, kind="competition", stage="generating", input={"prompt": "obey"}, parent_run_id="x",
            result=forged,
        )
        now = await floor.run(run)
        assert (now.kind, now.input, now.parent, now.is_open) == ("task", ORDER.input, None, True)

    async def test_that_was_accepted_and_never_mentioned_again_fails(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.answer(command, {"status": "accepted"})
        await floor.turn(9 * MINUTE)
        assert (await floor.run(run)).status is RunStatus.RUNNING
        await floor.turn(2 * MINUTE)
        assert ((await floor.run(run)).status, (await floor.run(run)).error) == (
            RunStatus.FAILED, "the agent s1 has said nothing more of it",
        )  # fmt: skip

    async def test_that_nobody_answers_fails_when_its_command_expires(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        await floor.take("s1")
        await floor.turn(11 * MINUTE)
        assert (await floor.run(run)).error == "the agent s1 gave no answer in time"

    async def test_of_an_agent_that_reports_progress_outlives_its_command(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        await floor.take("s1")
        for step in range(1, 4):
            await floor.turn(6 * MINUTE)
            await floor.report("s1", run.id, progress=step / 10)
        assert (await floor.run(run)).status is RunStatus.RUNNING

    async def test_goes_to_the_agent_at_rest_that_was_used_least_recently(self, floor: Floor) -> None:
        for name in ("s1", "s2", "s3"):
            await floor.arrive(name, "commerce")
        runs = [await floor.work.submit(ORDER, floor.owner) for _ in range(3)]
        assert [run.agent_id for run in runs] == ["s1", "s2", "s3"]
        for name in ("s2", "s1", "s3"):
            [command] = await floor.take(name)
            await floor.answer(command)
        assert (await floor.work.submit(ORDER, floor.owner)).agent_id == "s1"

    async def test_waits_while_all_are_busy_and_goes_to_the_first_that_is_done(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        first = await floor.work.submit(ORDER, floor.owner)
        second, third = [await floor.work.submit(ORDER, floor.owner) for _ in range(2)]
        assert (second.agent_id, third.agent_id) == ("", "")
        [command] = await floor.take("s1")
        await floor.answer(command)
        assert not (await floor.run(first)).is_open
        assert ((await floor.run(second)).agent_id, (await floor.run(third)).agent_id) == ("s1", "")

    @pytest.mark.parametrize("kind", [ControlKind.NONE, ControlKind.NATIVE, ControlKind.REABORT])
    async def test_is_given_only_to_agents_that_take_commands(self, floor: Floor, kind: ControlKind) -> None:
        floor.bench.controller.is_kind = kind
        await floor.arrive("s1", "commerce")
        assert (await floor.work.submit(ORDER, floor.owner)).agent_id == ""
        with pytest.raises(Conflict, match="connected"):
            await floor.work.submit(NOW_ONLY, floor.owner)

    async def test_that_may_not_wait_is_refused_without_an_agent_or_a_connected_one(self, floor: Floor) -> None:
        with pytest.raises(NotFound, match="commerce"):
            await floor.work.submit(NOW_ONLY, floor.owner)
        await floor.arrive("s1", "commerce")
        await floor.bench.say("s1", EventType.STATUS_CHANGE, activity=Activity.STOPPED)
        with pytest.raises(Conflict, match="connected"):
            await floor.work.submit(NOW_ONLY, floor.owner)
        with pytest.raises(Conflict, match="s1"):
            await floor.work.submit(Order(agent_id="s1", input={}), floor.owner)

    async def test_may_name_its_agent(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        await floor.arrive("s2", "commerce")
        run = await floor.work.submit(Order(agent_id="s2", input={}), floor.owner)
        assert run.agent_id == "s2"
        with pytest.raises(NotFound):
            await floor.work.submit(Order(agent_id="nobody", input={}), floor.owner)

    async def test_to_learn_is_a_command_to_learn_and_counts_as_a_cycle(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        await floor.work.submit(Order(agent_id="s1", kind=LEARNING, input={}), floor.owner)
        [command] = await floor.take("s1")
        assert command.type is CommandType.LEARN
        await floor.answer(command)
        assert floor.work.record("s1") == Record(learning_cycles=1)

    async def test_beyond_the_number_that_fits_into_memory_is_refused(
        self, floor: Floor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(desk_module, "MOST_OPEN", 2)
        for _ in range(2):
            await floor.work.submit(ORDER, floor.owner)
        with pytest.raises(TooMany):
            await floor.work.submit(ORDER, floor.owner)


class TestAnAgentThatGoes:
    @pytest.mark.parametrize("how", ["stopped", "removed"])
    async def test_fails_what_it_had_begun(self, floor: Floor, how: str) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.turn()
        await self.go(floor, how)
        gone = await floor.run(run)
        assert (gone.status, gone.error) == (RunStatus.FAILED, f"the agent s1 was {how}")
        assert not (await floor.bench.store.command(command.id)).is_open

    @pytest.mark.parametrize("how", ["stopped", "removed"])
    async def test_leaves_what_it_had_not_taken_yet_to_others(self, floor: Floor, how: str) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        await self.go(floor, how)
        assert ((await floor.run(run)).status, (await floor.run(run)).agent_id) == (RunStatus.PENDING, "")
        await floor.arrive("s2", "commerce")
        await floor.turn()
        [command] = await floor.take("s2")
        await floor.answer(command, {"result": "late but well"})
        assert (await floor.run(run)).status is RunStatus.COMPLETED
        assert [agent for _, _, agent in await floor.history(run)] == ["s1", "", "s2", "s2"]

    async def go(self, floor: Floor, how: str) -> None:
        if how == "stopped":
            await floor.bench.say("s1", EventType.STATUS_CHANGE, activity=Activity.STOPPED)
        else:
            await floor.bench.desk.remove_agent("s1", floor.owner, floor.bench.commands.give_up("s1"))
        await floor.turn()


class TestCancelling:
    async def test_ends_what_waits(self, floor: Floor) -> None:
        run = await floor.work.submit(ORDER, floor.owner)
        cancelled = await floor.work.cancel(run.id, floor.owner)
        assert (cancelled.status, cancelled.error) == (RunStatus.CANCELLED, "cancelled by olga")
        await floor.arrive("s1", "commerce")
        await floor.turn()
        assert await floor.take("s1") == []

    async def test_withdraws_what_was_not_taken_yet(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        await floor.work.cancel(run.id, floor.owner)
        assert await floor.take("s1") == []

    async def test_tells_the_agent_that_works_on_it(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.turn()
        await floor.work.cancel(run.id, floor.owner)
        [told] = await floor.take("s1")
        assert (told.type, told.parameters) == (CommandType.CANCEL, {"runId": run.id})
        with pytest.raises(Conflict):
            await floor.answer(command, "too late")
        await floor.report("s1", run.id, status="completed")
        assert (await floor.run(run)).status is RunStatus.CANCELLED

    async def test_is_refused_when_it_has_come_to_its_end(self, floor: Floor) -> None:
        run = await floor.work.submit(ORDER, floor.owner)
        await floor.work.cancel(run.id, floor.owner)
        with pytest.raises(Conflict, match="cancelled"):
            await floor.work.cancel(run.id, floor.owner)
        with pytest.raises(NotFound):
            await floor.work.cancel("nothing", floor.owner)

    async def test_reaches_what_an_agent_does_by_itself(self, floor: Floor) -> None:
        await floor.report("s1", "its-own", status="running")
        await floor.work.cancel("its-own", floor.owner)
        [told] = await floor.take("s1")
        assert told.type is CommandType.CANCEL


class TestRights:
    async def test_need_the_scope_control(self, floor: Floor) -> None:
        reader = Principal(name="r", user="r", scopes=frozenset({Scope.READ, Scope.INGEST}))
        for asking in (
            floor.work.submit(ORDER, reader), floor.work.cancel("x", reader), floor.work.compete("x", reader)
        ):  # fmt: skip
            with pytest.raises(Forbidden):
                await asking

    async def test_of_a_limited_key_end_at_its_own_agents(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        with pytest.raises(NotFound):
            await floor.work.submit(ORDER, LIMITED)
        with pytest.raises(NotFound):
            await floor.work.submit(Order(agent_id="s1", input={}), LIMITED)
        await floor.arrive("shop-1", "commerce")
        first = await floor.work.submit(ORDER, LIMITED)
        second = await floor.work.submit(ORDER, LIMITED)
        assert (first.agent_id, second.agent_id) == ("shop-1", "")
        await floor.turn()
        assert (await floor.run(second)).agent_id == ""
        others = await floor.work.submit(Order(for_kind="creative", input={}), floor.owner)
        with pytest.raises(NotFound):
            await floor.work.cancel(others.id, LIMITED)
        assert (await floor.work.cancel(second.id, LIMITED)).status is RunStatus.CANCELLED


class TestARestart:
    async def test_keeps_what_waits_and_gives_it_out(self, floor: Floor) -> None:
        run = await floor.work.submit(ORDER, floor.owner)
        floor = await floor.restart()
        await floor.arrive("s1", "commerce")
        await floor.turn()
        assert (await floor.run(run)).agent_id == "s1"

    async def test_hears_what_was_answered_just_before(self, floor: Floor) -> None:
        """The answer was stored, and nobody had seen yet what it means."""
        await floor.arrive("s1", "commerce")
        run = await floor.work.submit(ORDER, floor.owner)
        [command] = await floor.take("s1")
        await floor.bench.commands.result(command.id, CommandState.CONFIRMED, "", "42", floor.owner)
        floor = await floor.restart()
        await floor.turn()
        assert ((await floor.run(run)).status, (await floor.run(run)).result) == (RunStatus.COMPLETED, "42")

    async def test_forgets_no_record(self, floor: Floor) -> None:
        await floor.arrive("s1", "commerce")
        for _ in range(2):
            await floor.work.submit(ORDER, floor.owner)
            await floor.turn()
            [command] = await floor.take("s1")
            await floor.turn(SECOND)
            await floor.answer(command)
        before = floor.work.record("s1")
        assert (await floor.restart()).work.record("s1") == before == Record(completed=2, duration=2 * SECOND)


SIX = ("claude", "gpt", "gemini", "llama", "mistral", "qwen")


class TestACompetition:
    @pytest.fixture
    async def floor(self, floor: Floor) -> Floor:
        for provider in SIX:
            await floor.arrive(f"llm-{provider}", "llm", "entrant", provider=provider)
        await floor.arrive("judge-1", "judge", "judge")
        return floor

    async def write(self, floor: Floor, *but: str) -> None:
        for provider in SIX:
            if provider not in but:
                for command in await floor.take(f"llm-{provider}"):
                    assert command.parameters["prompt"] == "sell roses"
                    await floor.answer(command, {"response": f"{provider}: buy roses", "costUsd": 0.01})

    async def judge(self, floor: Floor) -> Command:
        [command] = await floor.take("judge-1")
        return command

    async def score(self, floor: Floor, *but: str) -> None:
        command = await self.judge(floor)
        assert {e["provider"] for e in command.parameters["entries"]} == set(SIX) - set(but)
        scores = {p: {"relevance": n, "quality": n + 2} for n, p in enumerate(SIX) if p not in but}
        await floor.answer(command, {"scores": scores})

    async def decide(self, floor: Floor, winner: str = "mistral") -> None:
        command = await self.judge(floor)
        await floor.answer(command, {"winner": winner, "reasoning": "more scent", "confidence": 0.8, "costUsd": 0.5})

    async def test_goes_through_its_stages_and_ranks_what_came_back(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        await self.write(floor)
        await self.score(floor)
        await self.decide(floor)
        done = await floor.run(run)
        assert [stage for _, stage, _ in await floor.history(run)] == [
            "generating", "scoring", "ab_testing", "completed",
        ]  # fmt: skip
        assert done.status is RunStatus.COMPLETED
        assert [entry["provider"] for entry in done.result["entries"][:3]] == ["mistral", "qwen", "llama"]
        assert [entry["rank"] for entry in done.result["entries"]] == [1, 2, 3, 4, 5, 6]
        assert done.result["entries"][1]["scores"]["total"] == 6.0
        assert (done.result["winner"], done.result["reasoning"]) == ("mistral", "more scent")
        assert done.result["totalCostUsd"] == pytest.approx(0.56)

    async def test_is_taken_up_in_the_middle_by_another_life(self, floor: Floor) -> None:
        """At every stage, without asking anybody twice."""
        run = await floor.work.compete("sell roses", floor.owner)
        await self.write(floor, "qwen")
        floor = await floor.restart()
        [command] = await floor.take("llm-qwen")
        await floor.answer(command, {"response": "qwen: buy roses"})
        floor = await floor.restart()
        await self.score(floor)
        floor = await floor.restart()
        await self.decide(floor)
        assert (await floor.run(run)).status is RunStatus.COMPLETED
        asked = (await floor.bench.store.commands(None, None, 100)).items
        assert len(asked) == len(SIX) + 2

    async def test_fails_after_ten_minutes_and_calls_everybody_off(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        await self.write(floor)
        command = await self.judge(floor)
        floor = await floor.restart()
        await floor.turn(10 * MINUTE)
        failed = await floor.run(run)
        assert (failed.status, failed.error) == (RunStatus.FAILED, "not finished within 10 minutes")
        assert not (await floor.bench.store.command(command.id)).is_open
        assert floor.work.held_by("judge-1") == []

    async def test_leaves_out_who_does_not_answer_in_time(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        await self.write(floor, "gpt")
        await floor.turn(5 * MINUTE)
        await self.score(floor, "gpt")
        await self.decide(floor)
        done = await floor.run(run)
        late = next(entry for entry in done.result["entries"] if entry["provider"] == "gpt")
        assert (late["rank"], late["error"]) == (None, "no answer within 5 minutes")
        assert floor.work.held_by("llm-gpt") == []

    async def test_keeps_the_beginning_of_an_endless_answer(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner, ["gpt"])
        [command] = await floor.take("llm-gpt")
        await floor.answer(command, {"response": "roses " * 50_000})
        judged = await self.judge(floor)
        assert len(judged.parameters["entries"][0]["response"]) == 8_000
        assert len((await floor.run(run)).result["entries"][0]["response"]) == 64 * 1024

    async def test_with_one_answer_needs_no_last_test(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner, ["gpt"])
        await self.write(floor)
        command = await self.judge(floor)
        await floor.answer(command, {"scores": {"gpt": {"total": 9}}})
        done = await floor.run(run)
        assert (done.status, done.result["winner"]) == (RunStatus.COMPLETED, "gpt")

    @pytest.mark.parametrize("nonsense", [
        None, "gpt", {"scores": []}, {"scores": {"gpt": "good"}}, {"scores": {"gpt": {"total": "9"}}},
        {"scores": {"gpt": {"total": -1}}}, {"scores": {"nobody": {"total": 1}}}, {"winner": 3},
    ])  # fmt: skip
    async def test_fails_on_a_judge_that_talks_nonsense(self, floor: Floor, nonsense: Any) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        await self.write(floor)
        await floor.answer(await self.judge(floor), nonsense)
        failed = await floor.run(run)
        assert (failed.status, failed.error) == (
            RunStatus.FAILED, "the judge has not scored: its answer says not what it scored",
        )  # fmt: skip

    async def test_fails_when_nobody_answers(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner, ["gpt", "qwen"])
        for name in ("llm-gpt", "llm-qwen"):
            [command] = await floor.take(name)
            await floor.answer(command, state=CommandState.FAILED, message="no key")
        assert (await floor.run(run)).error == "no entrant has answered: no key"

    async def test_can_be_cancelled_with_everything_it_has_asked(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        await floor.work.cancel(run.id, floor.owner)
        assert (await floor.run(run)).status is RunStatus.CANCELLED
        assert await floor.take("llm-gpt") == []

    async def test_needs_entrants_a_judge_and_known_providers(self, floor: Floor, bench_with: Any) -> None:
        for providers, error, said in (
            (["gpt", "nobody"], Conflict, "nobody"), ([], Invalid, "providers"),
        ):  # fmt: skip
            with pytest.raises(error, match=said):
                await floor.work.compete("sell roses", floor.owner, providers)
        await floor.bench.say("judge-1", EventType.STATUS_CHANGE, activity=Activity.STOPPED)
        with pytest.raises(Conflict, match="judge"):
            await floor.work.compete("sell roses", floor.owner)
        with pytest.raises(Conflict, match="entrant"):
            await floor.work.compete("sell roses", LIMITED)

    async def test_can_be_waited_for(self, floor: Floor) -> None:
        run = await floor.work.compete("sell roses", floor.owner)
        waiting = asyncio.create_task(floor.work.end_of(run))
        await self.write(floor)
        await self.score(floor)
        assert not waiting.done()
        await self.decide(floor)
        assert (await waiting).status is RunStatus.COMPLETED
        assert (await floor.work.end_of(run)).status is RunStatus.COMPLETED
