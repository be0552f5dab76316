from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clawatch.domain.events import Counter, Event, EventType, Tool, Usage
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import EventFilter, StorePort
from clawatch.testing.store_contract.examples import (
    NOW,
    agent_named,
    cost_of,
    event,
    spend,
    sums,
    tokens_of,
)

SHARED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
"""One store serves all examples, and several classes inherit the test."""
_numbers: Iterator[int] = count()
"""Gives every example an agent of its own, so that examples can share a store."""


class Report(NamedTuple):
    """One drawn report: cost 0 is a plain event; rank 0 belongs to no signal."""

    session: str
    rank: int
    model: str
    cost: int
    ago: Millis


reports = st.builds(
    Report,
    session=st.sampled_from(["s1", "s2"]),
    rank=st.integers(0, 3),
    model=st.sampled_from(["m1", "m2", ""]),
    cost=st.integers(0, 5),
    ago=st.integers(0, 3 * DAY),
)


def read(agent: str, report: Report) -> Event:
    if not report.cost:
        return event(agent, NOW - report.ago, EventType.MESSAGE)
    usage = Usage(model=report.model, cost=report.cost, input=report.cost * 10)
    return event(
        agent, NOW - report.ago, EventType.COST, session_id=report.session, rank=report.rank, usage=usage
    )  # fmt: skip


def counted(reports: Iterable[Report]) -> list[Report]:
    """What the sums must hold: of each session only its best signal, whenever that came."""
    spent = [report for report in reports if report.cost]
    best: dict[str, int] = {}
    for report in spent:
        best[report.session] = max(best.get(report.session, 0), report.rank)
    return [report for report in spent if report.rank in (0, best[report.session])]


class CountingContract:
    """Signals, counters, and that every sum is the sum of what it sums."""

    async def test_a_better_signal_replaces_what_a_worse_one_added(self, store: StorePort) -> None:
        await store.append([spend(usd=3.0, session_id="s", rank=1, at=NOW - HOUR)], NOW)
        await store.append([spend(usd=2.0, session_id="s", rank=1)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 5_000_000_000
        await store.append([spend(usd=4.0, session_id="s", rank=3)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 4_000_000_000
        assert (await agent_named(store, "a")).cost == 4_000_000_000
        before = await sums(store, "a", until=NOW)
        assert (before.cost, before.events) == (0, 1)

    async def test_a_worse_signal_adds_nothing_after_a_better_one(self, store: StorePort) -> None:
        await store.append([spend(session_id="s", rank=3)], NOW)
        await store.append([spend(session_id="s", rank=1), spend(session_id="s", rank=2)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000
        assert (await sums(store, "a")).events == 3

    async def test_what_files_tell_counts_only_where_telemetry_tells_nothing(self, store: StorePort) -> None:
        await store.append([spend(usd=3.0, session_id="s", rank=-1), spend(session_id="read", rank=-1)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 4_000_000_000
        await store.append([spend(usd=2.0, session_id="s", rank=1), spend(usd=9.0, session_id="s", rank=-1)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 3_000_000_000
        assert (await agent_named(store, "a")).cost == 3_000_000_000

    async def test_signals_are_ranked_within_their_session_only(self, store: StorePort) -> None:
        await store.append(
            [spend(session_id="s1", rank=3), spend(session_id="s2", rank=1), spend("b", session_id="s1", rank=1)], NOW
        )
        assert cost_of(await store.costs(None, None, ("*",))) == 3_000_000_000

    async def test_a_takeover_within_one_batch_counts_once(self, store: StorePort) -> None:
        batch = [spend(session_id="s", rank=rank, usd=rank) for rank in (1, 1, 2, 1, 3, 3, 2)]
        await store.append(batch, NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 6_000_000_000

    async def test_usage_that_a_later_report_brings_yields_to_a_better_signal(self, store: StorePort) -> None:
        await store.append([event(call_id="c", session_id="s")], NOW)
        await store.append([spend(call_id="c", session_id="s", rank=1)], NOW)
        assert cost_of(await store.costs(NOW, NOW, ("*",))) == 1_000_000_000
        await store.append([spend(usd=2.0, session_id="s", rank=2)], NOW)
        assert cost_of(await store.costs(None, None, ("*",))) == 2_000_000_000
        assert cost_of(await store.costs(NOW, NOW, ("*",))) == 2_000_000_000

    # -- cumulative counters

    async def test_a_counter_counts_its_rise(self, store: StorePort) -> None:
        for value in (10, 25, 25, 40):
            await store.append([_metric(value)], NOW)
        assert tokens_of(await store.costs(None, None, ("*",))) == 40

    async def test_a_counter_that_begins_anew_counts_from_zero(self, store: StorePort) -> None:
        for value, started in ((10, 1), (4, 2), (6, 2)):
            await store.append([_metric(value, started)], NOW)
        assert tokens_of(await store.costs(None, None, ("*",))) == 10 + 4 + 2

    async def test_a_point_older_than_the_newest_one_adds_nothing(self, store: StorePort) -> None:
        for value, started in ((10, 2), (99, 1), (7, 2), (12, 2)):
            await store.append([_metric(value, started)], NOW)
        assert tokens_of(await store.costs(None, None, ("*",))) == 12

    async def test_a_counter_whose_start_is_not_told_begins_anew_when_it_falls(self, store: StorePort) -> None:
        for value in (10, 3, 5):
            await store.append([_metric(value, 0)], NOW)
        assert tokens_of(await store.costs(None, None, ("*",))) == 10 + 3 + 2

    async def test_an_unchanged_counter_is_a_sign_of_life_without_progress(self, store: StorePort) -> None:
        await store.append([_metric(10)], NOW)
        await store.append([_metric(10, at=NOW + MINUTE)], NOW + MINUTE)
        entry = (await store.read(1, 1))[0]
        assert isinstance(entry.body, Event)
        assert (entry.body.type, entry.body.is_progress) == (EventType.HEARTBEAT, False)
        agent = await agent_named(store, "a")
        assert (agent.last_seen, agent.last_progress) == (NOW + MINUTE, NOW)

    async def test_counters_of_one_batch_follow_each_other(self, store: StorePort) -> None:
        await store.append([_metric(10), _metric(15), _metric(7, series="other")], NOW)
        assert tokens_of(await store.costs(None, None, ("*",))) == 22

    # -- reports that turn out to be another agent's

    async def test_a_report_that_is_another_agent_s_counts_there_and_no_longer_here(self, store: StorePort) -> None:
        first = spend("a", usd=1.0, id="1", session_id="s", call_id="c", rank=2)
        await store.append([first, _call("a", "2"), spend("a", usd=5.0, id="3", session_id="s", rank=2)], NOW)
        moved = [replace(one, agent_id="b", instead_of="a") for one in (first, _call("a", "2"))]
        for _ in range(2):
            await store.append(moved, NOW)
        a, b = await agent_named(store, "a"), await agent_named(store, "b")
        assert (a.cost, a.tool_calls, a.error_count) == (5_000_000_000, 0, 0)
        assert (b.cost, b.tool_calls, b.error_count) == (1_000_000_000, 1, 1)
        for since in (None, NOW):
            costs = await store.costs(since, None if since is None else NOW, ("*",))
            assert {line.agent_id: line.cost for line in costs.lines} == {"a": 5_000_000_000, "b": 1_000_000_000}
        listed = await store.events(EventFilter(agents=("*",)), None, 10)
        assert sorted((entry.agent_id, entry.body.id) for entry in listed.items if isinstance(entry.body, Event)) == [
            ("a", "3"), ("b", "1"), ("b", "2"),
        ]

    async def test_a_moved_report_stays_moved_when_it_is_told_again(self, store: StorePort) -> None:
        first = spend("a", usd=1.0, id="1", session_id="s", call_id="c", rank=2)
        await store.append([first], NOW)
        await store.append([replace(first, agent_id="b", instead_of="a")], NOW)
        appended = await store.append([first], NOW)
        assert [one.is_new for one in appended] == [False]
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000

    async def test_a_report_instead_of_one_that_comes_only_afterwards_counts_once(self, store: StorePort) -> None:
        await store.append([replace(spend("b", usd=1.0, id="1"), instead_of="a")], NOW)
        appended = await store.append([spend("a", usd=1.0, id="1", session_id="s", call_id="c")], NOW)
        assert [one.is_new for one in appended] == [False]
        assert cost_of(await store.costs(None, None, ("*",))) == 1_000_000_000

    # -- sums

    @settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
    @given(batches=st.lists(st.lists(reports, max_size=6), max_size=5), since=st.integers(0, 3 * DAY),
           length=st.integers(0, 2 * DAY))  # fmt: skip
    async def test_every_sum_is_the_sum_of_its_events(
        self, store: StorePort, batches: list[list[Report]], since: Millis, length: Millis
    ) -> None:
        """CW-39: totals, lists and series agree for every filter, to the millisecond."""
        agent = f"agent-{next(_numbers)}"
        for batch in batches:
            await store.append([read(agent, report) for report in batch], NOW)
        everything = [report for batch in batches for report in batch]
        expected = counted(everything)
        total = await sums(store, agent, NOW - 4 * DAY, NOW + DAY)
        assert total.cost == sum(report.cost for report in expected)
        assert total.events == len(everything)
        assert total.messages == sum(not report.cost for report in everything)
        lo, hi = NOW - since, NOW - since + length
        costs = await store.costs(lo, hi, (agent,))
        assert costs.resolution == "exact"
        inside = [report for report in expected if lo <= NOW - report.ago <= hi]
        by_model: dict[str, int] = {}
        for report in inside:
            by_model[report.model] = by_model.get(report.model, 0) + report.cost
        assert {line.model: line.cost for line in costs.lines} == by_model
        assert {line.model: line.tokens for line in costs.lines} == {m: cost * 10 for m, cost in by_model.items()}
        for step in (HOUR, DAY, 90 * MINUTE):
            points = await store.series(0, NOW + 2 * DAY, step, "", (agent,))
            assert sum(point.measures.cost for point in points) == total.cost


def _call(agent: str, id: str) -> Event:
    return event(agent, id=id, type=EventType.TOOL_CALL, tool=Tool(name="exec", ok=False))


def _metric(value: int, started: Millis = 1, series: str = "tokens", at: Millis = NOW) -> Event:
    counters = (Counter(series=series, started=started, value=value, measure="input"),)
    return event(at=at, type=EventType.METRICS, counters=counters)
