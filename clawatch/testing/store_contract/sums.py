from __future__ import annotations

import pytest

from clawatch.domain.events import EventType, Usage
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.ports import CostLine, Invalid, StorePort
from clawatch.testing.store_contract.examples import NOW, cost_of, event, spend


class SumsContract:
    """Costs and series."""

    async def test_costs_are_summed_by_agent_and_model(self, store: StorePort) -> None:
        await store.append(
            [spend("a", usd=1.0, model="x"), spend("a", usd=2.0, model="y"), spend("a", usd=4.0, model="x"),
             spend("b", usd=8.0, model="x"), event("c")], NOW,
        )  # fmt: skip
        costs = await store.costs(None, None, ("*",))
        assert sorted(costs.lines, key=lambda line: line.cost) == [
            CostLine("a", "y", 2_000_000_000, 10, 0),
            CostLine("a", "x", 5_000_000_000, 20, 0),
            CostLine("b", "x", 8_000_000_000, 10, 0),
        ]

    async def test_only_agents_of_the_patterns_are_summed(self, store: StorePort) -> None:
        await store.append([spend("build-1"), spend("build-2"), spend("chat"), spend("[x]")], NOW)
        for patterns, expected in (
            (("*",), 4), (("build-*",), 2), (("build-1", "chat"), 2), (("[[]x]",), 1), (("nobody",), 0), ((), 0),
        ):  # fmt: skip
            assert cost_of(await store.costs(None, None, patterns)) == expected * 1_000_000_000
            assert cost_of(await store.costs(NOW, NOW, patterns)) == expected * 1_000_000_000

    async def test_bounds_are_inclusive_to_the_millisecond(self, store: StorePort) -> None:
        """CW-38: from and to are honoured, both ends included."""
        instants = [NOW + 30 * SECOND, NOW + 30 * SECOND + 1, NOW + 3 * HOUR, NOW + 2 * DAY + 7 * SECOND]
        await store.append([spend(at=at) for at in instants], NOW + 3 * DAY)
        for first, since in enumerate(instants):
            for last, until in enumerate(instants):
                for shrink_since, shrink_until in ((0, 0), (1, 0), (0, 1), (1, 1)):
                    expected = [a for a in instants if since + shrink_since <= a <= until - shrink_until]
                    costs = await store.costs(since + shrink_since, until - shrink_until, ("*",))
                    assert (cost_of(costs), costs.resolution) == (len(expected) * 1_000_000_000, "exact"), (first, last)

    async def test_one_bound_may_be_missing(self, store: StorePort) -> None:
        await store.append([spend(at=NOW), spend(at=NOW + 1), spend(at=NOW + 2)], NOW + 2)
        assert cost_of(await store.costs(None, NOW + 1, ("*",))) == 2_000_000_000
        assert cost_of(await store.costs(NOW + 1, None, ("*",))) == 2_000_000_000

    async def test_unpriced_tokens_are_not_free(self, store: StorePort) -> None:
        await store.append([event(type=EventType.COST, usage=Usage(model="m", input=5, output=1))], NOW)
        [line] = (await store.costs(None, None, ("*",))).lines
        assert line == CostLine("a", "m", 0, 6, 6)

    async def test_absurd_numbers_spoil_nobody_elses_sums(self, store: StorePort) -> None:
        vast = Usage(cost=10**18, input=10**30)
        for _ in range(12):
            await store.append([event("mad", type=EventType.COST, usage=vast) for _ in range(3)], NOW)
        await store.append([spend("sane")], NOW)
        costs = await store.costs(None, None, ("*",))
        assert {line.agent_id: line.cost for line in costs.lines}["sane"] == 1_000_000_000
        assert cost_of(await store.costs(NOW, None, ("sane",))) == 1_000_000_000
        assert await store.series(NOW, NOW + HOUR, HOUR, "", ("*",))

    async def test_a_series_has_one_point_per_step_and_group(self, store: StorePort) -> None:
        await store.append(
            [spend("a", NOW, model="x"), spend("a", NOW + MINUTE, model="y"), spend("b", NOW + 61 * MINUTE, model="x")],
            NOW + DAY,
        )

        async def points(step: int, by: str, agents: tuple[str, ...] = ("*",)) -> list[tuple[int, str, int]]:
            found = await store.series(NOW, NOW + DAY, step, by, agents)
            return [((p.at - NOW) // MINUTE, p.group, p.measures.cost // 1_000_000_000) for p in found]

        assert await points(MINUTE, "") == [(0, "", 1), (1, "", 1), (61, "", 1)]
        assert await points(HOUR, "agent") == [(0, "a", 2), (60, "b", 1)]
        assert await points(HOUR, "model") == [(0, "x", 1), (0, "y", 1), (60, "x", 1)]
        assert await points(2 * HOUR, "", ("b",)) == [(0, "", 1)]

    async def test_a_series_begins_at_since_and_ends_before_until(self, store: StorePort) -> None:
        await store.append([spend(at=NOW + i * MINUTE) for i in range(10)], NOW + HOUR)
        found = await store.series(NOW + 2 * MINUTE, NOW + 5 * MINUTE, MINUTE, "", ("*",))
        assert [(point.at - NOW) // MINUTE for point in found] == [2, 3, 4]
        assert await store.series(NOW + 5 * MINUTE, NOW, MINUTE, "", ("*",)) == []

    @pytest.mark.parametrize(
        ("step", "by"), [(0, ""), (-MINUTE, ""), (SECOND, ""), (90 * SECOND, ""), (MINUTE, "cost")]
    )
    async def test_a_senseless_series_is_refused(self, store: StorePort, step: int, by: str) -> None:
        with pytest.raises(Invalid):
            await store.series(NOW, NOW + HOUR, step, by, ("*",))
