"""How it goes with holding a paused agent."""

from __future__ import annotations

import pytest
from clawatch_plugins.openclaw.holding import AGAIN, LONGEST, MOST, WINDOW, Held
from clawatch_plugins.openclaw.stopping import Proof

DONE = Proof(is_stopped=True, message="", rung="abort")
AT_REST = Proof(is_stopped=True, message="")
FAILED = Proof(is_stopped=False, message="", rung="/stop")


def test_starts_are_counted_within_the_window() -> None:
    held = Held()
    for now in (0, 1, WINDOW + 1):
        held.tried(DONE, now, is_again=True)
    assert held.lately(WINDOW + 1) == 2


def test_an_agent_at_rest_has_not_been_started_again() -> None:
    held = Held()
    held.tried(AT_REST, 0, is_again=True)
    held.tried(DONE, 0, is_again=False)
    assert held.lately(0) == 0


@pytest.mark.parametrize(("times", "is_losing"), [(MOST - 1, False), (MOST, True)])
def test_too_many_starts_are_disobedience(times: int, is_losing: bool) -> None:
    held = Held()
    for _ in range(times):
        held.tried(DONE, 0, is_again=True)
    assert held.is_losing is is_losing


def test_what_cannot_be_held_is_tried_less_and_less_often_until_it_can() -> None:
    held = Held()
    waits = []
    for _ in range(12):
        held.tried(FAILED, 0, is_again=True)
        waits.append(held.try_at)
    assert waits[:2] == [2 * AGAIN, 4 * AGAIN]
    assert waits[-1] == LONGEST
    assert held.is_losing
    held.tried(DONE, WINDOW + 1, is_again=True)
    assert (held.try_at, held.is_losing) == (0, False)
