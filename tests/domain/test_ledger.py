from __future__ import annotations

import pytest

from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertType
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Origin, Tool, Usage
from clawatch.domain.fills import fill
from clawatch.domain.journal import ControlChanged, Fill, Measures, Removed, RunChanged, Silenced, Unit
from clawatch.domain.ledger import MOST, Posting, counts, measures_of
from clawatch.domain.time import MINUTE, SECOND
from clawatch.testing.memory_books import MemoryBooks
from clawatch.testing.store_contract.examples import (
    NOW,
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


@pytest.fixture
def books() -> MemoryBooks:
    return MemoryBooks(size=1_000)


@pytest.fixture
def posting(books: MemoryBooks) -> Posting:
    return Posting(books, 1, NOW)


# -- rows


def test_rows_are_numbered_on_from_the_next_seq(books: MemoryBooks) -> None:
    posting = Posting(books, 41, NOW)
    assert [posting.event(event()).seq, posting.event(event()).seq] == [41, 42]
    assert posting.unit(alerts_unit(alert()))[0].seq == 43
    assert [entry.seq for entry in posting.entries] == [41, 42, 43]


def test_each_writer_that_shares_a_posting_has_its_own_time(posting: Posting) -> None:
    posting.event(event())
    posting.now = NOW + SECOND
    posting.event(event())
    assert [entry.at for entry in posting.entries] == [NOW, NOW + SECOND]


def test_nothing_changes_in_the_books_before_they_take_over(books: MemoryBooks, posting: Posting) -> None:
    posting.event(event(id="e1"))
    assert (books.head, books.agents, books.idents) == (0, {}, {})
    books.take_over(posting)
    assert (books.head, list(books.agents)) == (1, ["a"])


def test_an_event_adds_to_the_minute_in_which_it_happened(posting: Posting) -> None:
    posting.event(spend(at=NOW + MINUTE + 5))
    posting.event(event(at=NOW + MINUTE + 59_999, type=EventType.MESSAGE))
    posting.event(event(at=NOW, type=EventType.ERROR))
    posting.event(event(at=NOW, type=EventType.TOOL_CALL, tool=Tool(name="bash", ok=False)))
    spent = Measures(events=1, cost=1_000_000_000, input=7, output=3, tokens=10)
    assert posting.rollups == {
        (NOW + MINUTE, "a", "m"): spent,
        (NOW + MINUTE, "a", ""): Measures(events=1, messages=1),
        (NOW, "a", ""): Measures(events=2, errors=2, tool_calls=1),
    }
    assert posting.entries[0].counted[0].measures == spent


def test_what_was_read_from_the_past_is_marked(posting: Posting) -> None:
    posting.event(spend(origin=Origin.HISTORY))
    assert posting.rollups[NOW, "a", "m"].past_cost == 1_000_000_000


def test_one_report_cannot_overflow_a_sum() -> None:
    vast = measures_of(Usage(cost=10**40, input=10**40, output=10**40, tokens=10**40))
    assert (vast.cost, vast.input, vast.tokens) == (MOST, MOST, MOST)


# -- completing


def test_a_report_completes_one_of_the_same_posting(posting: Posting) -> None:
    posting.event(call())
    posting.event(call(error="boom"))
    assert [type(entry.body) for entry in posting.entries] == [Event, Fill]
    assert posting.entries[0].body == call()
    assert posting.completed == {1: call(error="boom")}


def test_a_report_with_nothing_new_leaves_no_row(posting: Posting) -> None:
    posting.event(call(error="boom"))
    posting.event(call(error="other"))
    assert len(posting.entries) == 1


def test_a_report_of_a_pruned_call_is_a_duplicate_and_nothing_more(books: MemoryBooks) -> None:
    first = Posting(books, 1, NOW)
    first.event(call())
    books.take_over(first)
    name, seq = next(iter(books.idents.items()))
    books.forget_oldest()
    books.idents[name] = seq
    posting = Posting(books, 2, NOW)
    assert not posting.event(call(error="boom")).is_new
    assert posting.entries == []


def test_usage_counts_under_the_rank_of_the_report_that_brought_it() -> None:
    assert fill(call(rank=0), call(rank=3, usage=Usage(cost=1))).rank == 3
    assert fill(call(rank=2, usage=Usage(cost=1)), call(rank=3, usage=Usage(cost=9))).rank == 2


def test_a_completed_event_grows_to_a_limit_only() -> None:
    known = call()
    for n in range(1_000):
        known = fill(known, call(data={f"key{n}": n}))
    assert len(known.data) == 200


def test_only_the_best_signal_of_a_session_counts() -> None:
    ranks = {("a", "s"): 2}.get
    assert counts(spend(session_id="s", rank=2), ranks)
    assert not counts(spend(session_id="s", rank=1), ranks)
    assert counts(spend(session_id="other", rank=1), ranks)
    assert counts(spend(session_id="s"), ranks)
    assert counts(spend(rank=1), ranks)


# -- edges


def test_edges_without_an_agent_are_rows_and_nothing_else(posting: Posting) -> None:
    edges = (
        ControlChanged(agent_id="ghost", control=Control.PAUSED, by="ops"), Silenced(agent_id="ghost"),
    )  # fmt: skip
    assert len(posting.unit(Unit(edges=edges))) == 2
    assert posting.agents == {}


def test_an_agent_removed_and_heard_again_is_new(posting: Posting) -> None:
    posting.event(spend())
    posting.edge(Removed(agent_id="a", by="ops"))
    assert posting.agents == {"a": None}
    posting.event(event())
    agent = posting.agents["a"]
    assert agent is not None
    assert agent.cost == 0


def test_a_confirmed_pause_is_what_the_agent_does(posting: Posting) -> None:
    posting.event(event())
    posting.unit(commands_unit(command(state=CommandState.DELIVERED)))
    assert posting.agents["a"].activity is Activity.RUNNING  # type: ignore[union-attr]
    posting.unit(commands_unit(command(state=CommandState.CONFIRMED)))
    assert posting.agents["a"].activity is Activity.PAUSED  # type: ignore[union-attr]
    posting.unit(commands_unit(command("c2", state=CommandState.CONFIRMED, type=CommandType.STOP)))
    assert posting.agents["a"].activity is Activity.STOPPED  # type: ignore[union-attr]


def test_the_end_of_a_stuck_alert_ends_the_silence(posting: Posting) -> None:
    posting.event(event())
    posting.edge(Silenced(agent_id="a"))
    posting.unit(alerts_unit(alert(type=AlertType.STUCK, says_silent=True)))
    assert posting.agents["a"].is_silent  # type: ignore[union-attr]
    posting.unit(alerts_unit(alert(type=AlertType.STUCK, state="resolved")))  # type: ignore[arg-type]
    assert posting.agents["a"].is_silent, "another rule's alert says nothing of its silence"  # type: ignore[union-attr]
    posting.unit(
        alerts_unit(alert(type=AlertType.STUCK, says_silent=True, state="resolved"))  # type: ignore[arg-type]
    )
    assert not posting.agents["a"].is_silent  # type: ignore[union-attr]


def test_expected_versions_see_what_the_posting_holds_already(books: MemoryBooks, posting: Posting) -> None:
    posting.unit(alerts_unit(alert(version=1)))
    books.take_over(posting)
    second = Posting(books, 2, NOW)
    assert second.moved_on({"alert_1": 1}) is None
    second.unit(alerts_unit(alert(version=2)))
    assert second.moved_on({"alert_1": 1}) == "alert_1"
    assert second.moved_on({"alert_1": 2, "alert_none": 0}) == "alert_none"


def test_a_replaced_outbox_row_goes_behind_the_others(posting: Posting) -> None:
    posting.unit(Unit(outbox=(outgoing("o1", text="old"), outgoing("o2"))))
    posting.unit(Unit(outbox=(outgoing("o1", text="new"),)))
    assert [(row.id, row.text) for row in posting.outbox.values()] == [("o2", ""), ("o1", "new")]


def test_a_run_belongs_to_the_agent_that_reports_it(posting: Posting) -> None:
    posting.event(run_event("a", status="running"))
    posting.event(run_event("b", status="failed"))
    assert {key: run.status for key, run in posting.runs.items()} == {("a", "r"): "running", ("b", "r"): "failed"}
    assert sum(isinstance(entry.body, RunChanged) for entry in posting.entries) == 2


# -- sums


def test_measures_add_and_subtract_field_by_field() -> None:
    fields = Measures.__struct_fields__
    one = Measures(**{field: n for n, field in enumerate(fields, 1)})
    ten = Measures(**{field: n * 10 for n, field in enumerate(fields, 1)})
    assert one + ten == Measures(**{field: n * 11 for n, field in enumerate(fields, 1)})
    assert one + -one == Measures()
    assert bool(one)
    assert not Measures()
