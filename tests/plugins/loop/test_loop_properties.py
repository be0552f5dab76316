"""What holds for any stream of calls."""

from __future__ import annotations

from itertools import takewhile

from clawatch_plugins.loop.calls import Basis, Call
from clawatch_plugins.loop.history import KEPT, LONGEST_PERIOD, WINDOW, History
from clawatch_plugins.loop.rule import Loop
from clawatch_plugins.loop.settings import LoopSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.domain.events import Tool
from clawatch.testing.rules import Trial

names = st.sampled_from(["Bash", "Read", "Edit"])


def tool(name: str, args: str, is_sized: bool) -> Tool:
    if is_sized:
        return Tool(name=name, args_size=hash(args), result_size=1)
    return Tool(name=name, args_hash=args)


def run(trial: Trial, tools: list[Tool]) -> None:
    for one in tools:
        trial.say("tool_call", session_id="s", tool=one)


@settings(max_examples=40, deadline=None)
@given(st.lists(names, max_size=150), st.booleans())
def test_calls_that_never_repeat_never_fire(tools: list[str], is_sized: bool) -> None:
    trial = Trial(Loop(), LoopSettings())
    run(trial, [tool(name, f"{i}", is_sized) for i, name in enumerate(tools)])
    assert trial.said == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.integers(0, 130),
    unit=st.lists(st.integers(0, 5), min_size=2, max_size=LONGEST_PERIOD),
    is_sized=st.booleans(),
)
def test_a_cycle_fires_wherever_it_begins(before: int, unit: list[int], is_sized: bool) -> None:
    trial = Trial(Loop(), LoopSettings())
    run(trial, [tool("Read", f"before {i}", is_sized) for i in range(before)])
    run(trial, [tool("Bash", f"{one}", is_sized) for one in unit] * 4)
    repeats = 4 * len(unit) >= 5 if len(set(unit)) == 1 else True
    assert bool(trial.firing) is repeats


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(2, LONGEST_PERIOD))
def test_repeats_and_counts_agree_with_their_plain_definition(signatures: list[int], period: int) -> None:
    history = History()
    for seq, signature in enumerate(signatures):
        history.add(Call(seq, "Bash", Basis.ARGUMENTS, signature, 1, None, False))
    last = history.last
    assert last is not None
    assert history.same_as(last) == signatures[-WINDOW:].count(signatures[-1])
    backwards = signatures[::-1]
    pieces = [backwards[start : start + period] for start in range(0, len(backwards), period)]
    plain = len(list(takewhile(lambda piece: piece == pieces[0], pieces)))
    assert min(history.repeats(period), KEPT // period) == min(max(1, plain), KEPT // period)
