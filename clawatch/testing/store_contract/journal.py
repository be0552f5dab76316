from __future__ import annotations

import asyncio

import pytest

from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertState
from clawatch.domain.events import Event, EventType, Facts, Usage
from clawatch.domain.journal import Committed, ControlChanged, Entry, EntryKind, Removed, Silenced, Unit
from clawatch.domain.time import HOUR, MINUTE
from clawatch.ports import Conflict, EventFilter, Invalid, StorePort
from clawatch.testing.store_contract.examples import (
    NOW,
    agent_named,
    alert,
    alerts_unit,
    call,
    command,
    commands_unit,
    event,
    outgoing,
    run_event,
    spend,
)


class JournalContract:
    """Appending, committing, reading."""

    async def test_a_new_store_is_empty(self, store: StorePort) -> None:
        assert (store.head, store.tail) == (0, 1)
        assert store.id
        assert "." not in store.id
        assert await store.read(0, 10) == []
        assert await store.agents() == []

    async def test_appended_events_are_read_back_in_order(self, store: StorePort) -> None:
        sent = [event(at=NOW + i, data={"n": i, "text": "ünï\u2028\x00'; DROP TABLE journal"}) for i in range(5)]
        appended = await store.append(sent, NOW + 10)
        assert [one.seq for one in appended] == [1, 2, 3, 4, 5]
        assert all(one.is_new for one in appended)
        entries = await store.read(0, 10)
        assert [entry.body for entry in entries] == sent
        assert {(entry.kind, entry.agent_id, entry.at) for entry in entries} == {(EntryKind.EVENT, "a", NOW + 10)}
        assert all(entry.counted for entry in entries)
        assert (store.head, store.tail) == (5, 1)

    async def test_reading_goes_on_behind_a_seq_and_stops_at_the_limit(self, store: StorePort) -> None:
        await store.append([event() for _ in range(10)], NOW)
        assert [entry.seq for entry in await store.read(3, 4)] == [4, 5, 6, 7]
        assert [entry.seq for entry in await store.read(8, 4)] == [9, 10]
        assert await store.read(10, 4) == []

    async def test_an_empty_batch_is_nothing(self, store: StorePort) -> None:
        assert await store.append([], NOW) == []
        assert store.head == 0

    async def test_listeners_hear_of_a_commit_before_its_writer_does(self, store: StorePort) -> None:
        heard: list[str] = []
        store.listen(lambda committed: heard.append(f"heard {committed.entries[-1].seq} at head {store.head}"))
        await store.append([event()], NOW)
        heard.append("released")
        await store.commit(alerts_unit(alert()), NOW)
        assert heard == ["heard 1 at head 1", "released", "heard 2 at head 2"]

    async def test_listeners_hear_every_entry_once_in_order_with_the_agents(self, store: StorePort) -> None:
        heard: list[Committed] = []
        store.listen(heard.append)
        await asyncio.gather(*(store.append([event(f"a{i % 7}", at=NOW + i)], NOW + i) for i in range(200)))
        seqs = [entry.seq for committed in heard for entry in committed.entries]
        assert seqs == list(range(1, 201))
        last = {agent_id: agent for committed in heard for agent_id, agent in committed.agents.items()}
        assert last == {agent.id: agent for agent in await store.agents()}

    async def test_what_listeners_heard_is_what_is_read_later(self, store: StorePort) -> None:
        heard: list[Entry] = []
        store.listen(lambda committed: heard.extend(committed.entries))
        await store.append(
            [event(), event(type=EventType.ERROR, error="x"), spend(), spend(model="free", usd=0.0),
             event(usage=Usage(model="known")), spend(session_id="s", rank=1), spend(session_id="s", rank=2),
             call(), call(usage=Usage(cost=3)), run_event(progress=0.1), event(facts=Facts(labels={"a": "b"}))], NOW,
        )  # fmt: skip
        await store.commit(alerts_unit(alert()), NOW)
        await store.commit(commands_unit(command()), NOW)
        edges = (ControlChanged(agent_id="a", control=Control.PAUSED, by="ops"), Silenced(agent_id="a"))
        await store.commit(Unit(edges=(*edges, Removed(agent_id="a", by="ops"))), NOW)
        assert await store.read(0, 100) == heard
        assert len(heard) == 17

    async def test_hundreds_of_concurrent_writers_lose_no_update(self, store: StorePort) -> None:
        """CW-33: per-agent order and counts survive at least 100 concurrent writers."""

        async def write(number: int) -> None:
            for step in range(5):
                at = NOW + number * 10 + step
                await store.append([spend("shared", at, 0.5, id=f"{number}.{step}", data={"of": number})], NOW + HOUR)

        await asyncio.gather(*(write(number) for number in range(120)))
        agent = await agent_named(store, "shared")
        assert (agent.cost, agent.tokens) == (600 * 500_000_000, 6_000)
        seen: dict[int, list[str | None]] = {}
        for entry in await store.read(0, 1_000):
            assert isinstance(entry.body, Event)
            seen.setdefault(entry.body.data["of"], []).append(entry.body.id)
        assert seen == {number: [f"{number}.{step}" for step in range(5)] for number in range(120)}

    async def test_ten_thousand_concurrent_appends_get_ten_thousand_seqs(self, store: StorePort) -> None:
        appended = await asyncio.gather(*(store.append([event(f"a{i % 50}")], NOW) for i in range(10_000)))
        assert sorted(batch[0].seq for batch in appended) == list(range(1, 10_001))
        assert store.head == 10_000

    async def test_one_writer_that_cannot_be_served_fails_alone(self, store: StorePort) -> None:
        results = await asyncio.gather(
            store.append([event("good")], NOW),
            store.append([event("bad"), run_event("bad", status="no such status")], NOW),
            store.commit(alerts_unit(alert(), expected={"alert_gone": 1}), NOW),
            store.append([event("fine")], NOW),
            return_exceptions=True,
        )
        assert isinstance(results[1], Invalid)
        assert isinstance(results[2], Conflict)
        assert [entry.agent_id for entry in await store.read(0, 10)] == ["good", "fine"]
        assert {agent.id for agent in await store.agents()} == {"good", "fine"}
        assert await store.alert("alert_1") is None

    # -- units

    async def test_a_unit_writes_edges_outbox_and_offsets_together(self, store: StorePort) -> None:
        unit = alerts_unit(alert(), outbox=(outgoing("o1"),), offsets={"rules": 17})
        entries = await store.commit(unit, NOW)
        assert [entry.seq for entry in entries] == [1]
        assert await store.read(0, 10) == entries
        assert await store.alert("alert_1") == alert()
        assert await store.outbox_size() == 1
        assert await store.offset("rules") == 17

    async def test_an_unexpected_version_leaves_nothing_behind(self, store: StorePort) -> None:
        await store.commit(alerts_unit(alert(version=3)), NOW)
        for expected in ({"alert_1": 2}, {"alert_1": 3, "alert_none": 1}):
            unit = alerts_unit(
                alert(version=4, state=AlertState.RESOLVED), outbox=(outgoing("o1"),), offsets={"rules": 5},
                expected=expected,
            )  # fmt: skip
            with pytest.raises(Conflict):
                await store.commit(unit, NOW)
        assert await store.alert("alert_1") == alert(version=3)
        assert (store.head, await store.outbox_size(), await store.offset("rules")) == (1, 0, None)

    async def test_of_two_units_that_expect_the_same_version_one_wins(self, store: StorePort) -> None:
        await store.commit(alerts_unit(alert(version=1)), NOW)
        units = [alerts_unit(alert(version=2, message=f"by {i}"), expected={"alert_1": 1}) for i in range(10)]
        results = await asyncio.gather(*(store.commit(unit, NOW) for unit in units), return_exceptions=True)
        assert sum(isinstance(result, Conflict) for result in results) == 9
        assert store.head == 2

    async def test_offsets_move_without_entries(self, store: StorePort) -> None:
        assert await store.offset("rules") is None
        assert await store.commit(Unit(offsets={"rules": 3, "other": 1}), NOW) == []
        await store.commit(Unit(offsets={"rules": 9}), NOW)
        assert (await store.offset("rules"), await store.offset("other"), store.head) == (9, 1, 0)

    # -- looking back

    async def test_the_newest_entry_before_an_instant_is_found(self, store: StorePort) -> None:
        assert await store.seq_before(NOW) == 0
        for minute in range(10):
            await store.append([event(at=NOW), event(at=NOW)], NOW + minute * MINUTE)
        assert await store.seq_before(NOW) == 0
        assert await store.seq_before(NOW + 1) == 2
        assert await store.seq_before(NOW + 5 * MINUTE) == 10
        assert await store.seq_before(NOW + HOUR) == 20

    async def test_events_come_in_pages_newest_first(self, store: StorePort) -> None:
        await store.append([event(data={"n": n}) for n in range(25)], NOW)
        await store.commit(alerts_unit(alert()), NOW)
        seen: list[int] = []
        cursor = None
        for expected in (10, 10, 5):
            page = await store.events(EventFilter(), cursor, 10)
            assert len(page.items) == expected
            seen += [entry.body.data["n"] for entry in page.items]  # type: ignore[union-attr]
            cursor = page.next
        assert cursor is None
        assert seen == list(range(24, -1, -1))

    async def test_events_are_chosen_by_agent_pattern_type_and_time(self, store: StorePort) -> None:
        types = (EventType.HEARTBEAT, EventType.ERROR)
        names = ("build-1", "build-2", "chat")
        await store.append([event(name, NOW + i, kind) for name in names for i, kind in enumerate(types)], NOW + 9)
        await store.append([event("build-1", NOW, is_hidden=True)], NOW + 9)

        async def chosen(**where: object) -> list[tuple[str, int]]:
            page = await store.events(EventFilter(**where), None, 50)  # type: ignore[arg-type]
            return [(entry.agent_id, entry.body.at - NOW) for entry in page.items]  # type: ignore[union-attr]

        assert len(await chosen()) == 6
        assert await chosen(agent_id="chat") == [("chat", 1), ("chat", 0)]
        assert await chosen(agents=("build-*",), types=(EventType.ERROR,)) == [("build-2", 1), ("build-1", 1)]
        assert await chosen(agents=("chat",), agent_id="build-1") == []
        assert await chosen(agents=("[c]hat", "nobody"), since=NOW + 1, until=NOW + 1) == [("chat", 1)]
        assert await chosen(agents=()) == []

    @pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 40, "'; --"])
    async def test_a_foreign_cursor_is_refused(self, store: StorePort, cursor: str) -> None:
        with pytest.raises(Invalid):
            await store.events(EventFilter(), cursor, 10)

    async def test_entries_do_not_change_when_an_event_is_completed(self, store: StorePort) -> None:
        """The journal is what happened: a reader that comes back reads what it read before."""
        await store.append([call()], NOW)
        before: list[Entry] = await store.read(0, 1)
        await store.append([call(error="boom")], NOW)
        assert await store.read(0, 1) == before
