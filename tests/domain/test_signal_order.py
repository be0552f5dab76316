"""Signals are exported at their own paces: what an agent says reaches us out of order, and counts all the same."""

from __future__ import annotations

import itertools
from typing import Any

from clawatch.domain.agents import Agent, Status, enrol, fold
from clawatch.domain.events import Activity, Counter, Event, EventType, Turn, Usage
from clawatch.domain.ledger import Posting
from clawatch.testing.memory_books import MemoryBooks

NOW = 1_000_000


def said(at: int, type: EventType = EventType.HEARTBEAT, received_at: int = NOW, **fields: Any) -> Event:
    return Event(agent_id="a", type=type, at=at, received_at=received_at, **fields)


def after(*events: Event) -> Agent:
    agent = enrol(events[0], 0, "")
    for event in events:
        agent = fold(agent, event)
    return agent


def test_a_sign_of_life_does_not_hide_the_progress_that_is_told_later() -> None:
    agent = after(said(100, is_progress=False, received_at=110), said(90, EventType.MESSAGE, received_at=120))
    assert (agent.last_seen, agent.last_progress) == (110, 120)


def test_a_turn_is_where_its_newest_report_says_whatever_came_between() -> None:
    reports = [
        said(10, EventType.MESSAGE, turn=Turn.OPEN),
        said(20, EventType.COST, turn=Turn.CLOSED),
        said(30, is_progress=False),
    ]
    for order in itertools.permutations(reports):
        agent = after(*order)
        assert (agent.turn, agent.status) == (Turn.CLOSED, Status.IDLE)


def test_a_session_that_has_ended_stays_so_when_its_last_turn_is_told() -> None:
    end = said(30, EventType.STATUS_CHANGE, activity=Activity.STOPPED, turn=Turn.CLOSED)
    for order in itertools.permutations([said(10, turn=Turn.OPEN), said(20, turn=Turn.CLOSED), end]):
        assert after(*order).status is Status.STOPPED


def test_what_clawatch_concludes_is_no_sign_of_life() -> None:
    told = said(10, turn=Turn.CLOSED, received_at=10)
    concluded = said(500, EventType.STATUS_CHANGE, received_at=500, activity=Activity.STOPPED, is_inferred=True)
    agent = after(told, concluded)
    assert (agent.status, agent.last_seen, agent.last_heartbeat) == (Status.STOPPED, 10, 10)


def total(points: list[tuple[int, int]]) -> int:
    """The cost that cumulative points (start, value) come to, each in a commit of its own."""
    books = MemoryBooks(1_000)
    for at, (started, value) in enumerate(points, 1):
        posting = Posting(books, at, NOW)
        counter = Counter(series="s", started=started, value=value, measure="cost")
        posting.event(said(at, EventType.COST, usage=Usage(model="m"), counters=(counter,)))
        books.take_over(posting)
    return books.agents["a"].cost


def test_cumulative_points_count_once_in_any_order() -> None:
    for order in itertools.permutations([(1, 5), (1, 5), (1, 8), (1, 20)]):
        assert total(list(order)) == 20


def test_a_new_start_begins_again_at_nothing() -> None:
    assert total([(1, 20), (2, 3), (2, 4)]) == 24
    assert total([(2, 4), (1, 20)]) == 4  # the earlier count came too late to tell what it had grown by
    assert total([(0, 20), (0, 3)]) == 23  # no start is told, and it fell
