from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from clawatch.domain.access import CORE, Principal, Scope
from clawatch.domain.recordings import BadLine, Kind, Source, Stage, finishing
from clawatch.domain.recordings.recording import STAGED
from clawatch.domain.recordings.slices import Slice
from clawatch.domain.time import DAY, HOUR
from clawatch.ports import Conflict, EventsWanted, Forbidden, Invalid, NotFound, OutOfStep, StoreUnavailable, TooMany
from clawatch.recordings import service, writing

ANN = Principal(name="ann", user="ann", scopes=frozenset({Scope.INGEST, Scope.READ}), agents=("a-*",))
BOB = Principal(name="bob", user="bob", scopes=frozenset({Scope.INGEST, Scope.READ}), agents=("b-*",))
TICK = {"kind": "tick", "tick": 0, "metrics": {"m": 1}}
END = {"kind": "end"}


def step(tick: int, agent_id: str = "a", **fields: Any) -> dict[str, Any]:
    return {"kind": "step", "tick": tick, "agent_id": agent_id, "state": {"x": tick / 10}, **fields}


async def nothing_is_left(studio: Any) -> bool:
    return not (await studio.store.recordings(None, None, 10)).items


async def test_what_is_complete_never_changes(studio: Any) -> None:
    done = await studio.record(studio.header(), TICK, END)
    with pytest.raises(Conflict):
        await studio.extend(done, done.progress.next_line, {"kind": "tick", "tick": 1})
    assert await studio.recordings.complete(done.id, CORE, {"final_adoption_rate": 1}) is not None
    assert (await studio.recordings.summary(done)).aggregates["final_adoption_rate"] is None
    with pytest.raises(Conflict, match="recorded already"):
        await studio.record(studio.header(), TICK, END)


async def test_staged_blocks_are_cleared_away_when_it_is_complete(studio: Any) -> None:
    done = await studio.record(studio.header(), TICK, step(0), {"kind": "event", "tick": 0, "type": "x"}, END)
    assert await studio.store.blocks(done.id, STAGED, [0]) == []
    kept = await studio.store.recording(done.id)
    assert (kept.is_complete, kept.has_scraps) == (True, False)


@pytest.mark.parametrize(("lines", "number"), [
    ([TICK], 1), ([{"kind": "recording", "node_id": "nonsense"}, END], 1), ([], 1),
    (["header", TICK], 3), (["header", TICK, {"kind": "tick", "tick": 0}, END], 3), (["header", END, TICK], 3),
    (["header", "header", END], 2), (["header", {"kind": "step", "tick": 0, "agent_id": "a\nb"}, END], 2),
    (["header", TICK, b"nonsense\n", END], 3),
    (["header", {"kind": "tick", "tick": 0, "world_state": {"x": "y" * 300_000}}, END], 2),
])  # fmt: skip
async def test_a_bad_line_is_named_and_leaves_nothing(studio: Any, lines: list[Any], number: int) -> None:
    with pytest.raises(BadLine) as raised:
        await studio.record(*(studio.header() if line == "header" else line for line in lines))
    assert raised.value.number == number
    assert await nothing_is_left(studio)


@pytest.mark.parametrize("fields", [
    {"started_at": "yesterday"}, {"metrics": ["m", "m"]}, {"metrics": [f"m{n}" for n in range(201)]},
    {"started_at": "9999-01-01T00:00:00Z", "tick_seconds": 31_536_000},
    {"metrics": [f"m{n}" for n in range(200)], "segments": [f"s{n}" for n in range(50)]},
])  # fmt: skip
async def test_a_header_that_makes_no_sense_is_refused(studio: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(BadLine) as raised:
        await studio.record(studio.header(**fields), END)
    assert raised.value.number == 1


async def test_names_that_were_not_announced_are_added(studio: Any) -> None:
    line = {"kind": "tick", "tick": 0, "metrics": {"m": 1}, "by_segment": {"n": {"s": 2}}, "by_region": {"m": {"r": 3}}}
    person = {"kind": "agent", "agent_id": "a", "segment": "t", "region": "r"}
    done = await studio.record(studio.header(metrics=["z"]), line, person, END)
    assert done.metrics == ("z", "m", "n")
    assert [(part.name, part.population) for part in done.segments] == [("s", 0), ("t", 1)]
    assert [(part.name, part.population) for part in done.regions] == [("r", 1)]


async def test_too_many_values_a_tick_are_refused(studio: Any) -> None:
    metrics = {f"m{n}": {f"s{k}": 1 for k in range(100)} for n in range(50)}
    with pytest.raises(BadLine, match="values a tick"):
        await studio.record(studio.header(), {"kind": "tick", "tick": 0, "by_segment": metrics}, END)


async def test_the_header_alone_opens_one_that_nobody_sees_until_it_is_complete(studio: Any) -> None:
    opened = await studio.record(studio.header())
    assert (opened.stage, opened.progress.next_line) == (Stage.OPEN, 2)
    opened = await studio.extend(opened, 2, TICK, step(0))
    assert opened.progress.next_line == 4
    with pytest.raises(NotFound):
        await studio.recordings.find(studio.node, CORE)
    done = await studio.recordings.complete(opened.id, CORE, {"final_adoption_rate": 0.5})
    assert (await studio.recordings.find(studio.node, CORE)) == done
    assert (await studio.recordings.summary(done)).aggregates["final_adoption_rate"] == 0.5


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_senders_may_count_from_where_they_like(studio: Any, first: int) -> None:
    opened = await studio.record(studio.header())
    opened = await studio.extend(opened, first, TICK, step(0), step(1))
    assert opened.progress.next_line == first + 3
    with pytest.raises(OutOfStep) as raised:
        await studio.extend(opened, first, TICK)
    assert raised.value.next_line == first + 3


@pytest.mark.parametrize("start", [3, 17, 10**9])
async def test_a_gap_is_refused_with_the_line_that_is_wanted(studio: Any, start: int) -> None:
    opened = await studio.record(studio.header())
    with pytest.raises(OutOfStep) as raised:
        await studio.extend(opened, start, TICK)
    assert raised.value.next_line == 2


async def test_the_whole_file_may_be_sent_as_frames_with_its_header(studio: Any) -> None:
    opened = await studio.record(studio.header())
    opened = await studio.extend(opened, 1, studio.header(), TICK, END)
    assert (opened.progress.next_line, opened.progress.has_ended) == (4, True)
    with pytest.raises(BadLine, match="line 4"):
        other = await studio.record(studio.header(run_id="2"))
        await studio.extend(other, 2, TICK, step(0), studio.header(run_id="2"))


async def test_opening_the_same_run_again_goes_on_with_it(studio: Any) -> None:
    opened = await studio.extend(await studio.record(studio.header()), 2, TICK)
    again = await studio.record(studio.header())
    assert (again.id, again.progress.next_line) == (opened.id, 3)
    assert (await studio.record(studio.header(run_id="other"))).id != opened.id


async def test_what_came_before_a_break_stays(studio: Any) -> None:
    opened = await studio.record(studio.header())
    with pytest.raises(ConnectionError):
        await studio.extend(opened, 2, TICK, step(0), b'{"kind":"step","ti', ConnectionError())
    kept = await studio.recordings.get(opened.id, CORE)
    assert kept.progress.next_line == 4
    opened = await studio.extend(kept, 4, step(1), END)
    done = await studio.recordings.complete(opened.id, CORE)
    assert [one.tick for one in (await studio.recordings.trajectory(done, "a")).steps] == [0, 1]


async def test_what_came_before_a_bad_line_stays_too(studio: Any) -> None:
    opened = await studio.record(studio.header())
    with pytest.raises(BadLine) as raised:
        await studio.extend(opened, 2, TICK, step(0), {"kind": "tick", "tick": 0}, step(1))
    assert raised.value.number == 4
    kept = await studio.recordings.get(opened.id, CORE)
    assert kept.progress.next_line == 4
    assert (await studio.extend(kept, 4, step(1))).progress.next_line == 5


async def test_two_who_go_on_at_the_same_time_do_not_mix(studio: Any) -> None:
    opened = await studio.record(studio.header())

    async def slowly() -> Any:
        async for piece in studio.pieces(TICK):
            yield piece
        await studio.extend(opened, 2, step(0), step(1))
        async for piece in studio.pieces(step(7)):
            yield piece

    with pytest.raises(Conflict):
        await studio.recordings.extend(opened.id, 2, slowly(), CORE)
    kept = await studio.recordings.get(opened.id, CORE)
    assert (kept.progress.next_line, kept.step_count) == (4, 2)


async def test_a_body_that_breaks_off_leaves_nothing(studio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when much of it has been stored."""
    monkeypatch.setattr(writing, "FLUSH_BYTES", 100)
    monkeypatch.setattr(writing, "PIECE", 100)
    steps = [step(n) for n in range(50)]
    with pytest.raises(ConnectionError):
        await studio.record(studio.header(), *steps, ConnectionError())
    assert await nothing_is_left(studio)
    assert (await studio.record(studio.header(), *steps, END)).step_count == 50


async def test_large_numbers_are_kept(studio: Any) -> None:
    huge = {"x": 2**70, "y": [-(2**90)], "z": 1e300}
    lines = [
        {**TICK, "metrics": {"m": 2**63 - 1}, "world_state": huge},
        {"kind": "agent", "agent_id": "a", "initial_state": huge},
        {"kind": "step", "tick": 0, "agent_id": "a", "state": huge},
        {"kind": "event", "tick": 0, "type": "t", "affected_agents": -(2**63), "variable_changes": huge},
    ]  # fmt: skip
    done = await studio.record(studio.header(), *lines, {"kind": "end", "aggregates": huge})
    found = await studio.recordings.trajectory(done, "a")
    assert (found.steps[0].state, found.profile.initial_state) == (huge, huge)
    assert (await studio.recordings.keyframe(done, 0)).state.world_state == huge
    [point] = [p async for p in studio.recordings.points(done, Slice(first=0, last=0, metrics=("m",)))]
    assert point["m"] == 2**63 - 1
    [event] = (await studio.recordings.events(done, EventsWanted())).events
    assert (event.affected_agents, event.variable_changes) == (-(2**63), huge)
    assert (await studio.recordings.summary(done)).aggregates["y"] == huge["y"]


async def test_a_full_disk_leaves_nothing(studio: Any) -> None:
    class Full(type(studio.store)):
        async def advance(self, *arguments: Any, **fields: Any) -> None:
            raise StoreUnavailable("disk full")

    studio.recordings._store = Full()
    with pytest.raises(StoreUnavailable):
        await studio.record(studio.header(), TICK, END)
    with pytest.raises(NotFound):
        await studio.recordings.find(studio.node, CORE)


async def test_a_completion_that_broke_off_is_done_again(studio: Any) -> None:
    opened = await studio.extend(await studio.record(studio.header()), 2, TICK, step(0), END)
    commit, calls = studio.store.advance, []

    async def failing(*arguments: Any, **fields: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StoreUnavailable("disk full")
        await commit(*arguments, **fields)

    studio.store.advance = failing
    with pytest.raises(StoreUnavailable):
        await studio.recordings.complete(opened.id, CORE)
    done = await studio.recordings.complete(opened.id, CORE)
    assert done.is_complete
    assert len((await studio.recordings.trajectory(done, "a")).steps) == 1


async def test_an_empty_one_cannot_be_completed(studio: Any) -> None:
    opened = await studio.record(studio.header())
    with pytest.raises(Invalid):
        await studio.recordings.complete(opened.id, CORE)


async def test_any_number_of_empty_lines_behind_the_header_is_nothing(
    studio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FLUSH_BYTES", 1_000)
    monkeypatch.setattr(writing, "PIECE", 500)
    opened = await studio.record(studio.header(), *[b"\n" * 500] * 9)
    assert opened.stage is Stage.OPEN
    assert (await studio.record(studio.header())).id == opened.id


async def test_what_is_told_of_it_at_the_end_is_not_nested_beyond_reading(studio: Any) -> None:
    opened = await studio.record(studio.header())
    opened = await studio.extend(opened, 2, TICK)
    with pytest.raises(Invalid, match="aggregates"):
        await studio.recordings.complete(opened.id, CORE, {"a": json.loads("[" * 60 + "]" * 60)})
    assert (await studio.recordings.complete(opened.id, CORE, {"a": [[1]]})).is_complete


async def test_what_a_daemon_left_half_written_is_swept_away(studio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that came in one piece at the next start, an open one after a week, what is complete never."""
    done = await studio.record(studio.header(run_id="done"), TICK, END)
    opened = await studio.record(studio.header(run_id="open"))
    whole = replace(opened, id="rec_whole", progress=replace(opened.progress, is_whole=True))
    await studio.store.create(whole)
    later = type(studio.recordings)(studio.store, studio.clock)

    async def there() -> set[str]:
        return {one.id for one in (await studio.store.recordings(None, None, 10)).items}

    await later.sweep()
    assert await there() == {done.id, opened.id, whole.id}
    studio.clock.advance(HOUR + 1)
    later.launch_sweep()
    await later.sweep()
    assert await there() == {done.id, opened.id}
    studio.clock.advance(7 * DAY + 1)
    await later.sweep()
    assert await there() == {done.id}


async def test_an_interrupted_clean_up_is_gone_on_with(studio: Any) -> None:
    done = await studio.record(studio.header(), TICK, END)
    kept = await studio.store.recording(done.id)
    await studio.store.advance(replace(kept, version=kept.version + 1, stage=Stage.GONE), kept.version)
    with pytest.raises(NotFound):
        await studio.recordings.get(done.id, CORE)
    await studio.recordings.sweep()
    assert await studio.store.recording(done.id) is None
    assert await studio.store.blocks(done.id, [Kind.SUMMARY], [0]) == []


async def test_only_so_many_write_at_once(studio: Any) -> None:
    recordings = studio.recordings

    async def nested(depth: int) -> Any:
        if depth:
            await recordings.record(nested(depth - 1), CORE)
        yield b"{}"

    with pytest.raises(TooMany):
        await recordings.record(nested(service.MOST_WRITERS), CORE)


async def test_recordings_are_their_users(studio: Any) -> None:
    anns = await studio.record(studio.header(), TICK, END, principal=ANN)
    assert (await studio.recordings.find(studio.node, ANN)).id == anns.id
    assert (await studio.recordings.find(studio.node, CORE)).id == anns.id
    for ask in (
        studio.recordings.find(studio.node, BOB), studio.recordings.get(anns.id, BOB),
        studio.recordings.discard(anns.id, BOB), studio.extend(anns, 2, TICK, principal=BOB),
        studio.recordings.complete(anns.id, BOB),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await ask
    with pytest.raises(Forbidden):
        await studio.record(studio.header(run_id="bobs"), TICK, END, principal=BOB)
    assert (await studio.recordings.list(BOB)).items == ()


async def test_the_fleets_own_are_for_keys_for_all_agents(studio: Any) -> None:
    lines = studio.pieces(studio.header(), TICK, END)
    fleet = await studio.recordings.record(lines, CORE, Source.FLEET)
    assert fleet.source is Source.FLEET
    with pytest.raises(NotFound):
        await studio.recordings.find(studio.node, ANN)
    assert (await studio.recordings.find(studio.node, CORE)).id == fleet.id


async def test_the_newest_run_of_a_node_is_the_one_that_is_found(studio: Any) -> None:
    first = await studio.record(studio.header(run_id="1"), TICK, END)
    assert await studio.recordings.find(studio.node, CORE) == first
    studio.clock.advance(1)
    second = await studio.record(studio.header(run_id="2"), TICK, END)
    assert (await studio.recordings.find(studio.node, CORE)).id == second.id
    await studio.recordings.discard(second.id, CORE)
    assert (await studio.recordings.find(studio.node, CORE)).id == first.id


async def test_many_steps_are_kept_in_several_blocks(studio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More agents than fit one block, more steps than fit one span; and they came from the last to the first."""
    monkeypatch.setattr(writing, "FLUSH_BYTES", 500_000)
    monkeypatch.setattr(finishing, "SPAN_STEPS", 10_000)
    names = [f"a{number}" for number in range(70)]
    steps = [step(tick, name, reasoning="r" if tick == 3 else None) for tick in reversed(range(300)) for name in names]
    done = await studio.record(studio.header(), *steps, END)
    assert (done.agent_count, done.step_count) == (70, 21_000)
    spans = await studio.store.blocks(done.id, [Kind.SPAN], [0, 1])
    assert [(block.key, block.part) for block in spans] == [(0, 0), (0, 1), (1, 0)]
    found = await studio.recordings.trajectory(done, "a63", 5)
    assert [(one.tick, one.state) for one in found.steps] == [(n, {"x": n / 10}) for n in range(5, 300)]
    told = await studio.recordings.trajectory(done, "a69", reasons=True)
    assert [one.tick for one in told.steps if one.reasoning] == [3]
    at_seven = [agent async for agent, _ in studio.recordings.steps(done, 7, 7)]
    assert sorted(at_seven) == sorted(f"a{number}" for number in range(70))
