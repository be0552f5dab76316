from __future__ import annotations

from typing import Any

import pytest

from clawatch.domain.alerts import AlertState
from clawatch.domain.commands import CommandState
from clawatch.domain.journal import RunChanged, Unit
from clawatch.domain.runs import RunStatus, RunTotal
from clawatch.ports import AlertFilter, Invalid, Page, StorePort
from clawatch.testing.store_contract.examples import (
    NOW,
    alert,
    alerts_unit,
    command,
    commands_unit,
    run,
    run_event,
    runs_unit,
)


def names(page: Page[Any]) -> list[str]:
    return [item.id for item in page.items]


class AskingContract:
    """Alerts, commands and runs: the newest state of each, and lists of them page by page."""

    async def test_an_alert_is_kept_in_its_newest_state(self, store: StorePort) -> None:
        assert await store.alert("alert_1") is None
        await store.commit(alerts_unit(alert(version=1, evidence={"count": 4})), NOW)
        newer = alert(version=2, state=AlertState.RESOLVED, resolved_at=NOW + 1)
        await store.commit(alerts_unit(newer), NOW + 1)
        assert await store.alert("alert_1") == newer
        assert [entry.body.alert.version for entry in await store.read(0, 9)] == [1, 2]  # type: ignore[union-attr]

    async def test_alerts_that_never_fired_are_not_listed(self, store: StorePort) -> None:
        await store.commit(alerts_unit(alert("p", state=AlertState.PENDING), alert("f")), NOW)
        assert names(await store.alerts(AlertFilter(), None, 10)) == ["f"]
        assert {one.id for one in await store.open_alerts()} == {"p", "f"}

    async def test_resolved_alerts_are_not_open(self, store: StorePort) -> None:
        await store.commit(alerts_unit(alert("a1"), alert("a2")), NOW)
        await store.commit(alerts_unit(alert("a1", state=AlertState.RESOLVED, resolved_at=NOW)), NOW)
        assert [one.id for one in await store.open_alerts()] == ["a2"]

    async def test_alerts_come_in_pages_newest_first(self, store: StorePort) -> None:
        """Alerts of the same instant neither repeat nor vanish between pages."""
        fired = [alert(f"alert_{i:02}", fired_at=NOW + i // 4) for i in range(22)]
        await store.commit(alerts_unit(*fired), NOW)
        seen: list[str] = []
        cursor = None
        for _ in range(5):
            page = await store.alerts(AlertFilter(), cursor, 5)
            seen += names(page)
            cursor = page.next
        assert cursor is None
        assert seen == [f"alert_{i:02}" for i in range(21, -1, -1)]

    async def test_alerts_are_chosen_by_agent_and_state(self, store: StorePort) -> None:
        await store.commit(
            alerts_unit(
                alert("a1", "build-1"), alert("a2", "build-2", AlertState.RESOLVED), alert("a3", "chat"),
                alert("a4", ""),
            ), NOW,
        )  # fmt: skip

        async def chosen(**where: object) -> list[str]:
            return sorted(names(await store.alerts(AlertFilter(**where), None, 10)))  # type: ignore[arg-type]

        assert await chosen() == ["a1", "a2", "a3", "a4"]
        assert await chosen(agents=("build-*",)) == ["a1", "a2"]
        assert await chosen(agents=("build-*",), state=AlertState.FIRING) == ["a1"]
        assert await chosen(agent_id="chat") == ["a3"]
        assert await chosen(agents=("build-*",), agent_id="chat") == []

    async def test_commands_are_kept_and_listed(self, store: StorePort) -> None:
        sent = [command(f"c{i}", "a" if i % 2 else "b", requested_at=NOW + i, parameters={"n": i}) for i in range(6)]
        await store.commit(commands_unit(*sent), NOW)
        done = command("c5", "a", CommandState.CONFIRMED, requested_at=NOW + 5, changed_at=NOW + 9)
        await store.commit(commands_unit(done), NOW)
        assert await store.command("c5") == done
        assert await store.command("none") is None
        assert names(await store.commands(None, None, 10)) == ["c5", "c4", "c3", "c2", "c1", "c0"]
        first = await store.commands("a", None, 2)
        assert names(first) == ["c5", "c3"]
        rest = await store.commands("a", first.next, 2)
        assert (names(rest), rest.next) == (["c1"], None)
        mine = await store.commands(None, None, 1, ("b*",))
        assert (names(mine), names(await store.commands(None, mine.next, 9, ("b*",)))) == (["c4"], ["c2", "c0"])
        assert await store.commands(None, None, 1, ("x*",)) == Page((), None)
        assert {one.id for one in await store.open_commands()} == {"c0", "c1", "c2", "c3", "c4"}

    async def test_runs_come_in_pages_of_the_agents_one_may_see(self, store: StorePort) -> None:
        await store.append([run_event(f"a{i % 2}", f"r{i}", NOW + i) for i in range(6)], NOW + 9)
        first = await store.runs(("a1",), None, 2)
        assert names(first) == ["r5", "r3"]
        assert names(await store.runs(("a1",), first.next, 2)) == ["r1"]
        assert len((await store.runs(("*",), None, 10)).items) == 6
        assert names(await store.runs(("x*",), None, 10)) == []
        assert names(await store.runs(("*",), None, 10, "a0")) == ["r4", "r2", "r0"]
        assert names(await store.runs(("a1",), None, 10, "a0")) == []

    async def test_runs_of_one_id_and_instant_neither_repeat_nor_vanish_between_pages(self, store: StorePort) -> None:
        await store.append([run_event(agent) for agent in "abc"], NOW)
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            page = await store.runs(("*",), cursor, 1)
            seen += [run.agent_id for run in page.items]
            cursor = page.next
        assert (seen, cursor) == (["c", "b", "a"], None)

    async def test_runs_are_chosen_by_kind_and_status(self, store: StorePort) -> None:
        told = [
            run_event("a", f"r{i}", NOW + i, kind=kind, status=status)
            for i, (kind, status) in enumerate(
                [("inference", "running"), (None, "completed"), (None, None), ("inference", "completed")]
            )
        ]
        await store.append(told, NOW + 9)
        assert names(await store.runs(("*",), None, 10, kind="inference")) == ["r3", "r0"]
        assert names(await store.runs(("*",), None, 10, kind="task")) == ["r2", "r1"]
        done = (RunStatus.COMPLETED, RunStatus.FAILED)
        assert names(await store.runs(("*",), None, 10, statuses=done)) == ["r3", "r1"]
        assert names(await store.runs(("*",), None, 10, kind="task", statuses=(RunStatus.PENDING,))) == ["r2"]

    async def test_only_runs_that_were_asked_for_here_and_go_on_are_open(self, store: StorePort) -> None:
        await store.append([run_event("a", "its-own", status="running")], NOW)
        wanted = [run("second", NOW + 1), run("first"), run("done", status=RunStatus.COMPLETED)]
        await store.commit(runs_unit(*wanted), NOW + 2)
        assert [one.id for one in await store.open_runs()] == ["first", "second"]

    async def test_a_run_that_is_given_to_an_agent_is_its_own_from_then_on(self, store: StorePort) -> None:
        """It is in one place only, and what the agent says of it is said of this run."""
        await store.commit(runs_unit(run("r1")), NOW)
        given = RunChanged(run=run("r1", agent_id="a"), moved_from="")
        [entry] = await store.commit(Unit(edges=(given,)), NOW + 1)
        assert (entry.body.was, entry.agent_id) == (RunStatus.PENDING, "a")  # type: ignore[union-attr]
        await store.append([run_event("a", "r1", NOW + 2, status="running", progress=0.5)], NOW + 2)
        [found] = (await store.runs(("*",), None, 10)).items
        assert (found.agent_id, found.status, found.progress, found.by) == ("a", RunStatus.RUNNING, 0.5, "ops")
        assert await store.run("r1", ("b", "")) is None

    async def test_another_agents_run_of_the_same_id_does_not_stand_in_for_one_that_was_asked_for(
        self, store: StorePort
    ) -> None:
        await store.commit(runs_unit(run("r1", agent_id="a"), run("waits")), NOW)
        forged = [run_event("b", name, NOW + 5, status="completed", result="forged") for name in ("r1", "waits")]
        await store.append(forged, NOW + 5)
        for name in ("r1", "waits"):
            found = await store.run(name, ("*",))
            assert found is not None
            assert (found.by, found.result) == ("ops", None)
        assert (await store.run("r1", ("b",))) != await store.run("r1", ("*",))

    async def test_the_daemons_word_of_a_run_takes_nothing_back(self, store: StorePort) -> None:
        await store.commit(runs_unit(run("r1", agent_id="a")), NOW)
        done = run_event("a", "r1", NOW + 5, status="completed", progress=1.0, result="42")
        await store.append([done], NOW + 5)
        late = run("r1", agent_id="a", status=RunStatus.FAILED, error="gone", updated_at=NOW + 6)
        await store.commit(runs_unit(late), NOW + 6)
        found = await store.run("r1", ("*",))
        assert found is not None
        assert (found.status, found.result, found.error, found.ended_at) == (RunStatus.COMPLETED, "42", None, NOW + 5)

    async def test_runs_are_summed_by_agent_kind_and_status(self, store: StorePort) -> None:
        for n, taken in enumerate((1_000, 3_000)):
            begun = run_event("a", f"r{n}", NOW, status="running")
            await store.append([begun, run_event("a", f"r{n}", NOW + taken, status="completed")], NOW + taken)
        await store.append([run_event("b", "r", kind="inference")], NOW)
        assert sorted(await store.run_totals(), key=lambda total: total.agent_id) == [
            RunTotal("a", "task", RunStatus.COMPLETED, 2, 4_000),
            RunTotal("b", "inference", RunStatus.PENDING, 1, 0),
        ]

    @pytest.mark.parametrize("cursor", ["", "x", "12", "x.alert_1", "1.", "9" * 40 + ".a"])
    async def test_a_page_behind_a_foreign_cursor_is_refused(self, store: StorePort, cursor: str) -> None:
        with pytest.raises(Invalid):
            await store.alerts(AlertFilter(), cursor, 10)
        with pytest.raises(Invalid):
            await store.commands(None, cursor, 10)
        with pytest.raises(Invalid):
            await store.runs(("*",), cursor, 10)
