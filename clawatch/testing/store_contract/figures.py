from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.events import Event, EventType, Phase
from clawatch.domain.gauges import BILLION, MOST_GAUGES, Gauge
from clawatch.domain.sketches import Sketch
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis
from clawatch.ports import Invalid, LatencyPoint, StorePort
from clawatch.testing.store_contract.counting import SHARED
from clawatch.testing.store_contract.examples import NOW, call, event, sums
from clawatch.testing.store_contract.upkeep import prune_all

_numbers: Iterator[int] = count()


def timed(ms: float, agent: str = "a", at: Millis = NOW, **fields: object) -> Event:
    return event(agent, at, EventType.TOOL_CALL, latency_ms=ms, **fields)


def read(agent: str = "a", at: Millis = NOW, /, **gauges: float) -> Event:
    return event(agent, at, EventType.METRICS, gauges=gauges)


def sketch_of(*ms: float) -> Sketch:
    sketch = Sketch()
    for one in ms:
        sketch.add(one)
    return sketch


async def gauge(store: StorePort, name: str, agent: str = "a", step: Millis = DAY) -> Gauge:
    """The gauge's readings in the whole day."""
    start = NOW - NOW % DAY
    [point] = await store.gauges(start, start + DAY, step, (agent,), (name,))
    return point.gauge


class FiguresContract:
    """Revenue, latencies and gauges."""

    # -- revenue

    async def test_revenue_is_summed_to_the_nano_dollar(self, store: StorePort) -> None:
        await store.append([event(revenue=1), event(revenue=10**18), event("b", revenue=5), event()], NOW)
        assert (await sums(store, "a")).revenue == 10**18 + 1

    async def test_what_a_later_report_has_earned_counts_once(self, store: StorePort) -> None:
        for revenue in (None, 7, 9):
            await store.append([call(revenue=revenue)], NOW)
        assert (await sums(store, "a")).revenue == 7

    # -- latencies

    async def test_latencies_make_a_point_per_step_with_something_timed(self, store: StorePort) -> None:
        await store.append([timed(450), timed(1200), timed(9, at=NOW + 61 * MINUTE), event(at=NOW + 2 * HOUR)], NOW)
        assert await store.latencies(NOW, NOW + DAY, HOUR, "", ("*",)) == [
            LatencyPoint(NOW, "", sketch_of(450, 1200)), LatencyPoint(NOW + HOUR, "", sketch_of(9)),
        ]  # fmt: skip
        assert await store.latencies(NOW, NOW + HOUR, 5 * MINUTE, "", ("*",)) == [
            LatencyPoint(NOW, "", sketch_of(450, 1200))
        ]

    async def test_latencies_of_several_agents_are_merged_or_told_apart(self, store: StorePort) -> None:
        await store.append([timed(1), timed(2, "b"), timed(3, "c")], NOW)
        both = ("a", "b")
        assert await store.latencies(NOW, NOW + HOUR, MINUTE, "", both) == [LatencyPoint(NOW, "", sketch_of(1, 2))]
        assert await store.latencies(NOW, NOW + HOUR, HOUR, "agent", both) == [
            LatencyPoint(NOW, "a", sketch_of(1)), LatencyPoint(NOW, "b", sketch_of(2)),
        ]  # fmt: skip
        assert await store.latencies(NOW, NOW + HOUR, HOUR, "", ()) == []
        many = tuple("abcdefgh")
        assert await store.latencies(NOW, NOW + HOUR, HOUR, "", many) == [LatencyPoint(NOW, "", sketch_of(1, 2, 3))]

    async def test_latencies_grow_over_many_commits(self, store: StorePort) -> None:
        times = [7.5 * n for n in range(300)]
        for ms in times:
            await store.append([timed(ms)], NOW)
        [point] = await store.latencies(NOW, NOW + MINUTE, MINUTE, "", ("a",))
        assert (point.sketch.count, point.sketch) == (300, sketch_of(*times))

    async def test_a_call_is_timed_once_whoever_reports_it(self, store: StorePort) -> None:
        for ms, error in ((None, None), (250.0, None), (251.0, None), (252.0, "boom")):
            await store.append([call(phase=Phase.END, latency_ms=ms, error=error)], NOW)
        [point] = await store.latencies(NOW, NOW + MINUTE, MINUTE, "", ("a",))
        assert point.sketch == sketch_of(250)

    async def test_senseless_latencies_are_left_out_and_absurd_ones_bounded(self, store: StorePort) -> None:
        await store.append([timed(ms) for ms in (-1.0, float("nan"), float("inf"), 1e300, 0.0)], NOW)
        [point] = await store.latencies(NOW, NOW + MINUTE, MINUTE, "", ("a",))
        assert point.sketch == sketch_of(1e9, 1e9, 0)

    async def test_a_reported_average_is_a_latency(self, store: StorePort) -> None:
        await store.append([read(avg_response_ms=850)], NOW)
        [point] = await store.latencies(NOW, NOW + MINUTE, MINUTE, "", ("a",))
        assert [point.sketch.quantile(q) for q in (0.5, 0.95, 0.99)] == [850] * 3

    # -- gauges

    async def test_a_gauge_keeps_sum_count_and_the_last_by_its_time(self, store: StorePort) -> None:
        """A reading that comes late adds to the sum, and is not the last."""
        for at, mb in ((NOW, 256.0), (NOW + 2 * SECOND, 300.5), (NOW + SECOND, 100.0)):
            await store.append([read("a", at, memory_mb=mb)], NOW)
        for step in (MINUTE, HOUR, DAY):
            assert await gauge(store, "memory_mb", step=step) == Gauge(
                count=3, sum=656.5, last=300.5, last_at=NOW + 2 * SECOND
            )

    async def test_gauges_are_told_apart_by_agent_name_and_step(self, store: StorePort) -> None:
        await store.append([read(cpu=1.0, mem=2.0), read("b", cpu=3.0), read("a", NOW + MINUTE, cpu=4.0)], NOW)
        found = await store.gauges(NOW, NOW + HOUR, MINUTE, ("*",), ("c*",))
        assert [(p.at - NOW, p.agent_id, p.name, p.gauge.last) for p in found] == [
            (0, "a", "cpu", 1.0), (0, "b", "cpu", 3.0), (MINUTE, "a", "cpu", 4.0),
        ]  # fmt: skip
        assert [p.name for p in await store.gauges(NOW, NOW + HOUR, HOUR, ("a",))] == ["cpu", "mem"]
        assert await store.gauges(NOW + MINUTE, NOW, MINUTE, ("a",)) == []

    async def test_a_rolling_count_has_risen_by_its_rises(self, store: StorePort) -> None:
        for n, value in enumerate((100, 103, 90, 95, 95)):
            await store.append([read("a", NOW + n * SECOND, messages_24h=value, active_sessions=value)], NOW)
        assert (await gauge(store, "messages_24h")).rise == 8 * BILLION
        assert (await gauge(store, "active_sessions")).rise == 0

    async def test_a_late_reading_of_a_rolling_count_adds_no_rise(self, store: StorePort) -> None:
        await store.append([read("a", NOW + MINUTE, messages_24h=10)], NOW)
        await store.append([read("a", NOW, messages_24h=99), read("a", NOW + MINUTE, messages_24h=11)], NOW)
        assert (await gauge(store, "messages_24h")).rise == BILLION

    async def test_rises_of_money_are_exact(self, store: StorePort) -> None:
        for n in range(11):
            await store.append([read("a", NOW + n, revenue_1h=n / 10)], NOW)
        assert (await gauge(store, "revenue_1h")).rise == BILLION

    async def test_absurd_rises_fit_into_the_store(self, store: StorePort) -> None:
        for _ in range(2):
            await store.append([read("a", NOW + n, messages_24h=1e15 * (n % 2)) for n in range(9)], NOW)
        assert (await gauge(store, "messages_24h")).rise >= 2**62

    async def test_what_is_no_gauge_makes_no_series(self, store: StorePort) -> None:
        wild = {"nan": float("nan"), "inf": float("inf"), "vast": 1e300, "x" * 300: 1.0, "fine": -5.0}
        await store.append([read(**wild)], NOW)
        assert [p.name for p in await store.gauges(NOW, NOW + HOUR, HOUR, ("a",))] == ["fine"]
        await store.append([read("b", **{f"g{n}": 1.0 for n in range(MOST_GAUGES + 10)})], NOW)
        assert len(await store.gauges(NOW, NOW + HOUR, HOUR, ("b",))) == MOST_GAUGES

    # -- both

    @pytest.mark.parametrize("step", [0, -MINUTE, SECOND, 90 * SECOND])
    async def test_senseless_steps_are_refused(self, store: StorePort, step: Millis) -> None:
        with pytest.raises(Invalid):
            await store.latencies(NOW, NOW + HOUR, step, "", ("*",))
        with pytest.raises(Invalid):
            await store.gauges(NOW, NOW + HOUR, step, ("*",))

    async def test_latencies_know_no_models(self, store: StorePort) -> None:
        with pytest.raises(Invalid):
            await store.latencies(NOW, NOW + HOUR, HOUR, "model", ("*",))

    async def test_pruning_takes_the_finer_grains_and_leaves_the_days(self, store: StorePort) -> None:
        await store.append([timed(5), read(cpu=1.0)], NOW)
        day = NOW - NOW % DAY

        async def kept(step: Millis) -> tuple[int, int]:
            found = await store.latencies(day, day + DAY, step, "", ("*",))
            return len(found), len(await store.gauges(day, day + DAY, step, ("*",)))

        await prune_all(store, NOW + 31 * DAY + HOUR)
        assert [await kept(step) for step in (MINUTE, HOUR, DAY)] == [(0, 0), (1, 1), (1, 1)]
        await prune_all(store, NOW + 401 * DAY)
        assert [await kept(step) for step in (MINUTE, HOUR, DAY)] == [(0, 0), (0, 0), (1, 1)]

    @settings(max_examples=20, deadline=None, suppress_health_check=SHARED)
    @given(batches=st.lists(st.lists(st.tuples(st.integers(0, 3 * 60), st.integers(0, 9_000)), max_size=8), max_size=5))
    async def test_every_grain_holds_all_that_was_said(
        self, store: StorePort, batches: list[list[tuple[int, int]]]
    ) -> None:
        agent = f"drawn-{next(_numbers)}"
        said = [(NOW + minutes * MINUTE, value) for batch in batches for minutes, value in batch]
        for batch in batches:
            await store.append([
                event(agent, NOW + m * MINUTE, EventType.METRICS, latency_ms=v, gauges={"g": float(v)})
                for m, v in batch
            ], NOW)
        for step in (MINUTE, 5 * MINUTE, HOUR, DAY):
            start, end = NOW - NOW % DAY, NOW + DAY
            times = await store.latencies(start, end, step, "agent", (agent,))
            gauges = await store.gauges(start, end, step, (agent,))
            wanted = sorted({at - at % step for at, _ in said})
            assert [p.at for p in times] == [p.at for p in gauges] == wanted
            for timed_point, gauge_point in zip(times, gauges, strict=True):
                values = [value for at, value in said if at - at % step == timed_point.at]
                assert timed_point.sketch == sketch_of(*values)
                assert (gauge_point.gauge.count, gauge_point.gauge.sum) == (len(values), sum(values))
