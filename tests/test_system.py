"""The daemon's own loops, and how it says that it is not well."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from clawatch import system
from clawatch.domain.alerts import AlertType
from clawatch.ports import Condition, StoreHealth
from clawatch.queries import Queries
from clawatch.rules import Running
from clawatch.system import Loops, System


@pytest.fixture
def loops() -> Loops:
    return Loops(structlog.get_logger())


async def test_a_loop_that_failed_goes_on_and_is_well_again_with_its_next_round(
    loops: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "RESTART_AFTER", 0.0)
    rounds: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def work() -> None:
        rounds.put_nowait(dict(loops.failing))
        if rounds.qsize() == 2:
            raise RuntimeError("once")
        if rounds.qsize() > 4:
            await asyncio.Event().wait()

    loops.every("rules", 0, work)
    async with asyncio.timeout(5):
        while rounds.qsize() < 5:
            await asyncio.sleep(0)
    await loops.close()
    assert [rounds.get_nowait() for _ in range(5)] == [{}, {}, {"rules": "RuntimeError: once"}, {}, {}]


class TestDegraded:
    @pytest.fixture
    async def bench(self, bench_with: Any) -> Any:
        return await bench_with(lambda event, now: ())

    def queries(self, bench: Any, loops: Loops) -> Queries:
        report = System(0, loops, bench.rules, (), lambda: bench.store.head, ()).report
        return Queries(bench.store, bench.journal, bench.fleet, bench.desk, bench.commands, report)

    async def test_all_is_well_at_first(self, bench: Any, loops: Loops) -> None:
        assert (await self.queries(bench, loops).system()).status == "ok"

    async def test_a_rule_that_was_switched_off_is_said(self, bench: Any, loops: Loops) -> None:
        bench.rules.rules = [Running("test", AlertType.ERROR, bench.rules.rules[0].rule, switched_off="raised")]
        assert (await self.queries(bench, loops).system()).status == "degraded"

    async def test_a_source_says_how_it_does_and_one_that_cannot_harms_nobody(self, bench: Any, loops: Loops) -> None:
        class Hearing:
            def report(self) -> Condition:
                return Condition(state="waiting", detail="for its folder")

        class Broken:
            def report(self) -> Condition:
                raise RuntimeError("oh no")

        sources: list[tuple[str, object]] = [("one", Hearing()), ("two", Broken()), ("three", object())]
        system = System(0, loops, bench.rules, (), lambda: bench.store.head, (), sources=sources)
        parts = [part for part in system.report().parts if part.section == "sources"]
        assert [(part.name, part.state) for part in parts] == [("one", "waiting"), ("two", "failing"), ("three", "ok")]
        assert "oh no" not in parts[1].detail

    async def test_a_store_that_cannot_be_written_is_said_also_while_there_is_nothing_to_write(
        self, bench: Any, loops: Loops, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def health() -> StoreHealth:
            return StoreHealth(ok=False, detail="disk is full")

        monkeypatch.setattr(bench.store, "health", health)
        assert (await self.queries(bench, loops).system()).status == "degraded"
