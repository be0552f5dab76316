"""What was recorded is what is read: at every tick, of every agent, however the lines came."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.domain.access import CORE
from clawatch.domain.recordings.slices import Slice
from clawatch.ports import EventsWanted

AGENTS = ["a", "b", "c"]
METRICS = ["m1", "m2"]
PARTS = ["s1", "s2"]
number = st.one_of(st.none(), st.integers(-5, 5), st.floats(0, 1).map(lambda value: round(value, 3)))
anything = st.one_of(number, st.booleans(), st.text(max_size=5), st.lists(st.integers(0, 3), max_size=3))
values = st.dictionaries(st.sampled_from(METRICS), number)
parted = st.dictionaries(st.sampled_from(METRICS), st.dictionaries(st.sampled_from(PARTS), number))
tick_lines = st.dictionaries(
    st.integers(0, 40),
    st.fixed_dictionaries({}, optional={
        "metrics": values, "by_segment": parted, "by_region": parted,
        "world_state": st.dictionaries(st.sampled_from("xyz"), anything),
    }),
    max_size=15,
).map(lambda ticks: [{"kind": "tick", "tick": tick, **line} for tick, line in sorted(ticks.items())])  # fmt: skip
step_lines = st.lists(
    st.fixed_dictionaries({
        "kind": st.just("step"), "tick": st.integers(0, 40), "agent_id": st.sampled_from(AGENTS),
        "state": st.dictionaries(st.sampled_from("xyz"), anything), "action": st.sampled_from([None, "buy", "wait"]),
        "reasoning": st.one_of(st.none(), st.text(max_size=9)),
    }),
    max_size=30,
)  # fmt: skip
event_lines = st.lists(
    st.fixed_dictionaries({
        "kind": st.just("event"), "tick": st.integers(0, 40), "type": st.sampled_from(["x", "y"]),
        "impact_score": number,
    }),
    max_size=10,
)  # fmt: skip


def state_by_hand(ticks: list[Any], upto: int) -> dict[str, Any]:
    """Every line up to a tick, one over the other."""
    state: dict[str, Any] = {"metrics": {}, "by_segment": {}, "by_region": {}, "world_state": {}}
    for line in ticks:
        if line["tick"] > upto:
            break
        for plain in ("metrics", "world_state"):
            state[plain].update(line.get(plain, {}))
        for where in ("by_segment", "by_region"):
            for metric, parts in line.get(where, {}).items():
                state[where].setdefault(metric, {}).update(parts)
    return state


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tick_lines, step_lines, event_lines, st.integers(1, 12), st.data())
def test_everything_is_read_as_it_was_recorded(
    new_studio: Any, ticks: list[Any], steps: list[Any], events: list[Any], interval: int, data: st.DataObject
) -> None:
    others = data.draw(st.permutations([*steps, *events]))
    place = data.draw(st.integers(0, len(ticks)))
    lines = [*ticks[:place], *others, *ticks[place:]]
    asyncio.run(check(new_studio(), lines, ticks, interval))


async def check(studio: Any, lines: list[Any], ticks: list[Any], interval: int) -> None:
    header = studio.header(keyframe_interval=interval, metrics=METRICS, segments=PARTS, regions=PARTS)
    done = await studio.record(header, *lines, {"kind": "end"})
    recordings = studio.recordings
    last = max((line["tick"] for line in lines), default=0)
    assert (done.total_ticks, list(done.keyframes)) == (last, list(range(0, last + 1, interval)))
    states = [state_by_hand(ticks, tick) for tick in range(last + 1)]
    for tick, state in enumerate(states):
        found = (await recordings.keyframe(done, tick)).state
        assert {name: getattr(found, name) for name in state} == state
    await check_slices(recordings, done, states)
    steps = [line for line in lines if line["kind"] == "step"]
    for agent_id in {step["agent_id"] for step in steps}:
        mine = sorted((step for step in steps if step["agent_id"] == agent_id), key=lambda step: step["tick"])
        found = await recordings.trajectory(done, agent_id, reasons=True)
        told = [(step.tick, step.state, step.action, step.reasoning) for step in found.steps]
        assert told == [tuple(step[name] for name in ("tick", "state", "action", "reasoning")) for step in mine]
    happened = sorted((line for line in lines if line["kind"] == "event"), key=lambda event: event["tick"])
    page = await recordings.events(done, EventsWanted(limit=100))
    assert [(e.tick, e.type, e.impact_score) for e in page.events] == [
        (event["tick"], event["type"], event["impact_score"]) for event in happened
    ]


async def check_slices(recordings: Any, done: Any, states: list[Any]) -> None:
    whole = Slice(first=0, last=done.total_ticks, metrics=tuple(METRICS))
    assert [point async for point in recordings.points(done, whole)] == [
        {"tick": tick} | {metric: state["metrics"].get(metric) for metric in METRICS}
        for tick, state in enumerate(states)
    ]
    part = Slice(first=0, last=done.total_ticks, resolution=3, metrics=("m1",), segments=("s2",))
    async for point in recordings.points(done, part):
        value = states[point["tick"]]["by_segment"].get("m1", {}).get("s2")
        assert point["by_segment"] == {"m1": {"s2": value}}
        assert point["m1"] == value


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tick_lines, step_lines, st.data())
def test_frames_in_any_portions_make_the_same_recording(
    new_studio: Any, ticks: list[Any], steps: list[Any], data: st.DataObject
) -> None:
    lines = [*ticks, *steps, {"kind": "end"}]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=5)))

    async def both() -> None:
        whole, bit_by_bit = new_studio(), new_studio()
        await whole.record(whole.header(), *lines)
        opened = await bit_by_bit.record(bit_by_bit.header())
        for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
            if start < end:
                opened = await bit_by_bit.extend(opened, opened.progress.next_line, *lines[start:end])
        await bit_by_bit.recordings.complete(opened.id, CORE)
        assert await told(whole) == await told(bit_by_bit)

    asyncio.run(both())


async def told(studio: Any) -> Any:
    """All that is to be read of its node."""
    recordings = studio.recordings
    done = await recordings.find(studio.node, CORE)
    names = list(await studio.store.agents(done.id))
    keyframes = [await recordings.keyframe(done, tick) for tick in range(done.total_ticks + 1)]
    trajectories = [await recordings.trajectory(done, name, reasons=True) for name in names]
    return keyframes, trajectories, await recordings.summary(done), (done.metrics, done.segments, done.step_count)
