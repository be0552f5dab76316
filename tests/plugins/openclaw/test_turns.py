"""An agent rests when none of its sessions is at work."""

from __future__ import annotations

from clawatch_plugins.openclaw.turns import FORGOTTEN_AFTER, Turns
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.events import Event, EventType, Turn


def told(session: str, turn: Turn | None, at: int = 1_000, agent: str = "a") -> Event:
    return Event(agent_id=agent, type=EventType.HEARTBEAT, at=at, session_id=session, turn=turn)


def test_the_end_of_one_turn_is_none_while_another_is_open() -> None:
    turns = Turns()
    turns.settle(told("one", Turn.OPEN))
    turns.settle(told("two", Turn.OPEN))
    assert turns.settle(told("two", Turn.CLOSED)).turn is None
    assert turns.settle(told("one", Turn.CLOSED)).turn is Turn.CLOSED


def test_agents_do_not_wait_for_one_another() -> None:
    turns = Turns()
    turns.settle(told("one", Turn.OPEN, agent="b"))
    assert turns.settle(told("two", Turn.CLOSED)).turn is Turn.CLOSED


def test_a_session_that_fell_silent_keeps_nobody_at_work() -> None:
    turns = Turns()
    turns.settle(told("one", Turn.OPEN))
    assert turns.settle(told("two", Turn.CLOSED, at=2_000 + FORGOTTEN_AFTER)).turn is Turn.CLOSED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([Turn.OPEN, Turn.CLOSED]))))
def test_it_rests_exactly_when_all_do(steps: list[tuple[str, Turn]]) -> None:
    turns = Turns()
    open_ones: set[str] = set()
    for session, turn in steps:
        settled = turns.settle(told(session, turn))
        (open_ones.add if turn is Turn.OPEN else open_ones.discard)(session)
        if turn is Turn.CLOSED:
            assert (settled.turn is Turn.CLOSED) is (not open_ones)


def test_memory_is_bounded() -> None:
    turns = Turns()
    for number in range(10_000):
        turns.settle(told(f"s{number}", Turn.OPEN, agent=f"a{number % 7}"))
        turns.settle(told("s", Turn.OPEN, agent=f"b{number}"))
    assert len(turns.agents) <= 4_096
    assert all(len(turns.open_since(agent)) <= 256 for agent in turns.agents)
