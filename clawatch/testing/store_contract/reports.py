from __future__ import annotations

from clawatch.domain.agents import Control, Status
from clawatch.domain.events import Activity, EventType, Phase, Signal, Tool, Usage
from clawatch.domain.journal import ControlChanged, EntryKind, Fill, Removed, Silenced, Unit
from clawatch.domain.money import nanos
from clawatch.domain.time import MINUTE
from clawatch.ports import EventFilter, StorePort
from clawatch.testing.store_contract.examples import (
    NOW,
    agent_named,
    call,
    cost_of,
    event,
    run_event,
    spend,
    sums,
)


class ReportsContract:
    """One call, one count; what a later report adds; what events make of agents and runs."""

    async def test_an_event_id_counts_once_per_agent(self, store: StorePort) -> None:
        first = await store.append([event(id="e1"), event(id="e1"), event("b", id="e1")], NOW)
        again = await store.append([event(id="e1", data={"other": 1})], NOW)
        assert [one.is_new for one in first] == [True, False, True]
        assert [one.seq for one in first] == [1, 1, 2]
        assert [(one.seq, one.is_new) for one in again] == [(1, False)]
        assert store.head == 2

    async def test_a_call_counts_once_whoever_reports_it(self, store: StorePort) -> None:
        reports = [call(signal=Signal.LOG), call(signal=Signal.HOOK, id="c1"), call(signal=Signal.SPAN)]
        appended = [(await store.append([report], NOW))[0] for report in reports]
        assert [(one.seq, one.is_new) for one in appended] == [(1, True), (1, False), (1, False)]
        assert (await agent_named(store, "a")).tool_calls == 1

    async def test_phases_sessions_and_agents_tell_calls_apart(self, store: StorePort) -> None:
        reports = [
            call(phase=Phase.START), call(phase=Phase.END), call(session_id="s"), call("b"), call(id="c2"),
        ]  # fmt: skip
        assert all(one.is_new for one in await store.append(reports, NOW))

    async def test_a_later_report_completes_what_is_empty_and_counts_only_the_gain(self, store: StorePort) -> None:
        usage = Usage(model="m", cost=5, input=2)
        await store.append([call(tool=Tool(name="bash", args_hash="x"), data={"kept": 1})], NOW)
        later = call(tool=Tool(name="other", args_hash="y", ok=False), usage=usage, error="boom",
                     data={"kept": 2, "more": 3})  # fmt: skip
        appended = await store.append([later, later], NOW)
        assert [(one.seq, one.is_new) for one in appended] == [(1, False), (1, False)]
        [shown] = (await store.events(EventFilter(), None, 10)).items
        assert shown.seq == 1
        assert shown.body == call(
            tool=Tool(name="bash", args_hash="x", ok=False), usage=usage, error="boom", data={"kept": 1, "more": 3}
        )
        fills = [entry for entry in await store.read(0, 10) if entry.kind is EntryKind.FILL]
        assert [(fill.body.of, fill.body.event) for fill in fills if isinstance(fill.body, Fill)] == [(1, shown.body)]
        total = await sums(store, "a")
        assert (total.events, total.tool_calls, total.errors, total.cost, total.tokens) == (1, 1, 1, 5, 2)
        agent = await agent_named(store, "a")
        assert (agent.cost, agent.tokens, agent.error_count, agent.tool_calls) == (5, 2, 1, 1)

    async def test_what_the_first_report_said_stands(self, store: StorePort) -> None:
        await store.append([spend(usd=1.0, call_id="c1")], NOW)
        await store.append([spend(usd=9.0, call_id="c1")], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000
        assert store.head == 1

    async def test_a_price_that_comes_later_makes_the_tokens_priced(self, store: StorePort) -> None:
        unpriced, priced = Usage(input=10), Usage(model="m", cost=4, input=10)
        await store.append([event(call_id="c", type=EventType.COST, usage=unpriced)], NOW)
        await store.append([event(call_id="c", type=EventType.COST, usage=priced)], NOW)
        [line] = (await store.costs(None, None, ("*",))).lines
        assert (line.model, line.cost, line.tokens, line.unpriced) == ("m", 4, 10, 0)

    # -- agents

    async def test_a_first_event_enrols_the_agent_with_its_owner(self, store: StorePort) -> None:
        await store.append([event("new", NOW - MINUTE)], NOW, owner="ada")
        agent = await agent_named(store, "new")
        assert (agent.name, agent.owner, agent.created_at, agent.status) == ("new", "ada", NOW, Status.RUNNING)
        await store.append([event("new")], NOW, owner="eve")
        assert (await agent_named(store, "new")).owner == "ada"

    async def test_edges_change_their_agent_in_the_same_commit(self, store: StorePort) -> None:
        await store.append([event()], NOW)
        await store.commit(Unit(edges=(ControlChanged(agent_id="a", control=Control.PAUSED, by="ops"),)), NOW)
        assert (await agent_named(store, "a")).status is Status.PAUSED
        await store.commit(Unit(edges=(ControlChanged(agent_id="a", control=Control.RUN, by="ops"),)), NOW)
        await store.commit(Unit(edges=(Silenced(agent_id="a"),)), NOW)
        assert (await agent_named(store, "a")).status is Status.STUCK
        assert [entry.kind for entry in await store.read(1, 10)] == [EntryKind.AGENT] * 3

    async def test_a_removed_agent_is_gone_and_may_come_back_anew(self, store: StorePort) -> None:
        await store.append([spend(), event("b")], NOW)
        await store.commit(Unit(edges=(Removed(agent_id="a", by="ops"),)), NOW)
        assert [agent.id for agent in await store.agents()] == ["b"]
        assert cost_of(await store.costs(None, None, ("a",))) == 1_000_000_000
        await store.append([event(activity=Activity.IDLE)], NOW + MINUTE)
        agent = await agent_named(store, "a")
        assert (agent.cost, agent.created_at) == (0, NOW + MINUTE)
        assert len((await store.events(EventFilter(agent_id="a"), None, 10)).items) == 2
        own = await store.events(EventFilter(agent_id="a", from_seq=agent.first_seq), None, 10)
        assert [entry.seq for entry in own.items] == [agent.first_seq]

    async def test_an_agent_that_came_back_has_nothing_of_what_was_before(self, store: StorePort) -> None:
        """Neither a better signal nor a completed report takes from it what it never had."""
        await store.append([spend(session_id="s", rank=1, usd=3), call("a", "c", usage=Usage(input=9))], NOW)
        await store.commit(Unit(edges=(Removed(agent_id="a", by="ops"),)), NOW)
        await store.append([event()], NOW + 1)
        filled = call("a", "c", usage=Usage(input=9, cost=5), session_id=None)
        await store.append([filled, spend(session_id="s", rank=2, usd=1)], NOW + 2)
        agent = await agent_named(store, "a")
        assert (agent.cost, agent.tokens, agent.unpriced_tokens, agent.tool_calls) == (0, 0, 0, 0)
        assert cost_of(await store.costs(None, None, ("a",))) == nanos(1) + 5

    # -- runs

    async def test_run_events_are_folded_into_runs(self, store: StorePort) -> None:
        await store.append([run_event(status="running", progress=0.5, stage="build")], NOW)
        await store.append([run_event(at=NOW + 1, status="completed", progress=0.2, result={"n": 1})], NOW + 1)
        run = await store.run("r", ("*",))
        assert run is not None
        assert (run.status, run.progress, run.stage, run.result) == ("completed", 0.5, "build", {"n": 1})
        assert [entry.kind for entry in await store.read(0, 10)] == [
            EntryKind.EVENT, EntryKind.RUN, EntryKind.EVENT, EntryKind.RUN,
        ]  # fmt: skip
        assert await store.run("none", ("*",)) is None

    async def test_each_agent_has_run_ids_of_its_own(self, store: StorePort) -> None:
        """Nobody can take or change another's run by naming its id."""
        await store.append([run_event("mallory", status="failed", error="gotcha")], NOW)
        await store.append([run_event(at=NOW + 1, status="running")], NOW + 1)
        await store.append([run_event("mallory", at=NOW + 2, stage="more")], NOW + 2)
        run = await store.run("r", ("a",))
        assert run is not None
        assert (run.agent_id, run.status, run.error) == ("a", "running", None)
        assert await store.run("r", ("*",)) == run
        theirs = await store.run("r", ("m*",))
        assert theirs is not None
        assert (theirs.agent_id, theirs.status, theirs.stage) == ("mallory", "failed", "more")
        assert await store.run("r", ("x",)) is None
