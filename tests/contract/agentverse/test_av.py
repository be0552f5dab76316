"""AgentVerse's telemetry, line by line."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

PATHS = ["", "/slice", "/keyframe/50", "/agent/{hero}", "/events", "/stream", "/aggregates"]
CACHED = [path for path in PATHS if path != "/stream"]


def at(path: str, make: Any) -> str:
    return path.format(hero=make.hero)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_av_01_every_path_is_for_reading_only(av: Any, make: Any, path: str, method: str) -> None:
    answer = await av.ask(at(path, make), method, json={"tick": 1})
    assert (answer.status, answer.body["error_code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET,HEAD" or set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


async def test_av_02_a_query_triggers_no_run(av: Any, make: Any) -> None:
    before = await av.cw.get("/api/system")
    for path in PATHS:
        assert (await av.ask(at(path, make))).status == 200
    assert (await av.ask(node=str(uuid.uuid4()))).status == 404
    assert (await av.cw.get("/api/runs"))["runs"] == []
    assert (await av.cw.get("/api/system"))["cursor"] == before["cursor"]


@pytest.mark.parametrize("path", PATHS)
async def test_av_03_without_a_token_nothing_is_told(av: Any, make: Any, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await av.cw.ask("GET", f"/api/v1/telemetry/{make.node}{at(path, make)}", key=None, headers=headers)
        assert (answer.status, answer.body["status_code"]) == (401, 401)
        assert {"detail", "error_code"} <= set(answer.body)
    assert (await av.ask(at(path, make))).status == 200


async def test_av_04_the_index_says_what_there_is(av: Any, make: Any) -> None:
    index = await av.get()
    assert (index["node_id"], index["run_id"], index["total_ticks"]) == (make.node, "run-1", 100)
    assert (index["keyframe_interval"], index["agent_count"], index["event_count"]) == (10, 12, 60)
    assert index["metrics_available"] == ["adoption_rate", "sentiment_shift"]
    assert (index["segments"], index["regions"]) == (make.segments, make.regions)
    assert index["created_at"].endswith("Z")


async def test_av_05_the_index_says_how_large_it_is_and_where_it_is_kept(av: Any) -> None:
    index = await av.get()
    assert index["file_size_bytes"] > 0
    assert index["storage_ref"].startswith("clawatch:recordings/rec_")


@pytest.mark.parametrize(("last", "interval", "expected"), [
    (100, 10, list(range(0, 101, 10))), (95, 10, list(range(0, 91, 10))), (0, 10, [0]), (7, 3, [0, 3, 6]),
])  # fmt: skip
async def test_av_06_keyframe_ticks_ascend_from_zero(
    av: Any, make: Any, last: int, interval: int, expected: list[int]
) -> None:
    node = str(uuid.uuid4())
    ticks = [make.tick(number) for number in range(last + 1)]
    await av.record([make.header(node_id=node, keyframe_interval=interval), *ticks, {"kind": "end"}])
    assert (await av.ask(node=node)).body["keyframe_ticks"] == expected


async def test_av_07_and_08_a_slice_is_the_whole_run_by_default_both_ends_included(av: Any) -> None:
    found = await av.get("/slice")
    assert (found["start_tick"], found["end_tick"], found["resolution"]) == (0, 100, 1)
    assert [point["tick"] for point in found["data"]] == list(range(101))
    part = await av.get("/slice", start_tick=7, end_tick=9)
    assert [point["tick"] for point in part["data"]] == [7, 8, 9]
    assert part["data"] == found["data"][7:10]


async def test_av_09_the_resolution_counts_from_the_start(av: Any) -> None:
    found = await av.get("/slice", start_tick=3, end_tick=20, resolution=5)
    assert [point["tick"] for point in found["data"]] == [3, 8, 13, 18]


async def test_av_10_only_the_metrics_asked_for_come(av: Any) -> None:
    assert {frozenset(point) for point in (await av.get("/slice"))["data"]} == {
        frozenset({"tick", "adoption_rate", "sentiment_shift"})
    }
    one = await av.get("/slice", metrics="sentiment_shift")
    assert {frozenset(point) for point in one["data"]} == {frozenset({"tick", "sentiment_shift"})}
    both = await av.get("/slice", metrics="sentiment_shift, adoption_rate")
    assert list(both["data"][0]) == ["tick", "sentiment_shift", "adoption_rate"]


async def test_av_11_a_filtered_metric_is_the_mean_over_the_chosen_parts(av: Any) -> None:
    """Weighted by population: all segments have four agents each, so theirs is the plain mean."""
    query = {"start_tick": 100, "metrics": "adoption_rate"}
    [point] = (await av.get("/slice", segments="early_adopters,skeptics", **query))["data"]
    assert point["by_segment"] == {"adoption_rate": {"early_adopters": 0.95, "skeptics": 0.35}}
    assert point["adoption_rate"] == pytest.approx(0.65)
    [point] = (await av.get("/slice", regions="rural", **query))["data"]
    assert (point["adoption_rate"], point["by_region"]) == (0.45, {"adoption_rate": {"rural": 0.45}})
    [point] = (await av.get("/slice", regions="rural", segments="skeptics", **query))["data"]
    assert point["adoption_rate"] == pytest.approx((0.45 + 0.35) / 2)


async def test_av_11_larger_segments_weigh_more(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    people = [{"kind": "agent", "agent_id": f"a{n}", "segment": "big" if n else "small"} for n in range(4)]
    rates = {"kind": "tick", "tick": 0, "metrics": {"m": 0.5}, "by_segment": {"m": {"big": 0.2, "small": 1.0}}}
    await av.record([{"kind": "recording", "node_id": node}, *people, rates, {"kind": "end"}])
    [point] = (await av.ask("/slice", node=node, params={"segments": "small,big"})).body["data"]
    assert point["m"] == pytest.approx(0.4)


async def test_av_12_values_lie_flat_in_the_point(av: Any, make: Any) -> None:
    found = await av.get("/slice", end_tick=1)
    assert found == {
        "node_id": make.node, "start_tick": 0, "end_tick": 1, "resolution": 1, "total_points": 2,
        "data": [
            {"tick": 0, "adoption_rate": 0.5, "sentiment_shift": 0.0},
            {"tick": 1, "adoption_rate": 0.502, "sentiment_shift": 0.01},
        ],
    }  # fmt: skip


async def test_av_13_a_hundred_ticks_in_steps_of_five_are_21_points(av: Any) -> None:
    found = await av.get("/slice", start_tick=0, end_tick=100, resolution=5, metrics="adoption_rate,sentiment_shift")
    assert found["total_points"] == len(found["data"]) == 21


@pytest.mark.parametrize(("query", "code"), [
    ({"start_tick": 9, "end_tick": 8}, "INVALID_PARAMETER"), ({"start_tick": -1}, "INVALID_TICK"),
    ({"end_tick": 150}, "INVALID_TICK"), ({"start_tick": 101}, "INVALID_TICK"), ({"end_tick": -5}, "INVALID_TICK"),
    ({"resolution": 0}, "INVALID_PARAMETER"), ({"resolution": -2}, "INVALID_PARAMETER"),
    ({"start_tick": "abc"}, "INVALID_TICK"), ({"end_tick": "1e2"}, "INVALID_TICK"),
    ({"resolution": "2.5"}, "INVALID_PARAMETER"), ({"start_tick": "9" * 40}, "INVALID_TICK"),
])  # fmt: skip
async def test_av_14_a_range_that_is_none_is_refused(av: Any, query: dict[str, Any], code: str) -> None:
    assert (await av.refusal("/slice", **query))["error_code"] == code


@pytest.mark.parametrize(("query", "there"), [
    ({"metrics": "adoption_rate,nonsense"}, ["adoption_rate", "sentiment_shift"]),
    ({"segments": "nobody"}, ["early_adopters", "mainstream", "skeptics"]),
    ({"regions": "moon"}, ["urban", "suburban", "rural"]),
])  # fmt: skip
async def test_av_15_an_unknown_name_is_refused_with_those_there_are(
    av: Any, query: dict[str, str], there: list[str]
) -> None:
    body = await av.refusal("/slice", **query)
    assert body["error_code"].startswith("UNKNOWN_")
    assert body["available"] == there
    assert all(name in body["detail"] for name in there)


async def test_av_16_a_keyframe_is_the_whole_state(av: Any) -> None:
    found = await av.get("/keyframe/50")
    assert (found["tick"], found["is_keyframe"]) == (50, True)
    assert found["world_state"] == {"economy_confidence": 0.75, "media_sentiment": 0.55}
    assert found["distributions"] == {
        "adoption_rate": 0.6, "sentiment_shift": 0.5,
        "by_segment": {"early_adopters": 0.9, "mainstream": 0.6, "skeptics": 0.3},
        "by_region": {"urban": 0.72, "suburban": 0.58, "rural": 0.45},
    }  # fmt: skip
    assert found["agent_summary"] == {"total": 12, "active": 10, "decided": 6, "undecided": 4}
    assert found["top_events"] == [
        {"tick": n, "type": "media_exposure" if n % 2 else "price_change", "impact": n / 100}
        for n in (50, 49, 48, 47, 46)
    ]


async def test_av_17_a_keyframe_has_what_the_data_model_adds(av: Any) -> None:
    found = await av.get("/keyframe/50")
    assert found["timestamp"] == "2026-01-09T12:01:15.000Z"
    assert found["agent_summary"]["undecided"] == 4
    assert (await av.get("/keyframe/0"))["agent_summary"] == {"total": 12, "active": 10, "decided": 0, "undecided": 10}


async def test_av_18_a_tick_behind_the_last_is_out_of_range(av: Any) -> None:
    assert await av.refusal("/keyframe/150") == {
        "detail": "Tick 150 is out of range. Max tick is 100.", "status_code": 400, "error_code": "INVALID_TICK"
    }


async def test_av_19_a_tick_between_keyframes_is_refused_with_its_neighbours(av: Any) -> None:
    body = await av.refusal("/keyframe/15")
    assert body == {
        "detail": "Tick 15 is not a keyframe. Available keyframes: [0, 10, 20, ...]", "status_code": 400,
        "error_code": "NOT_A_KEYFRAME", "nearest_keyframes": [10, 20],
    }  # fmt: skip


async def test_av_20_near_the_ends_there_may_be_one_neighbour(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    await av.record([make.header(node_id=node), *map(make.tick, range(96)), {"kind": "end"}])
    last = await av.ask("/keyframe/93", node=node)
    assert last.body["nearest_keyframes"] == [90]
    assert (await av.refusal("/keyframe/3"))["nearest_keyframes"] == [0, 10]
    assert (await av.refusal("/keyframe/-1"))["error_code"] == "INVALID_TICK"
    for text in ("abc", "1.5", "0x10", "%F0%9F%A6%9E"):
        assert (await av.refusal(f"/keyframe/{text}"))["error_code"] == "INVALID_TICK"


async def test_av_21_an_agent_is_known_with_its_persona_and_decision(av: Any, make: Any) -> None:
    found = await av.get(f"/agent/{make.hero}")
    assert {name: found[name] for name in found if name != "trajectory"} == {
        "agent_id": make.hero, "persona_id": str(uuid.UUID(int=0)), "persona_name": "Urban Professional #1234",
        "segment": "early_adopters", "region": "urban", "final_decision": "adopted", "decision_tick": 50,
        "initial_state": {"adoption_intent": 0.5, "awareness": 0.3, "trust": 0.6},
        "key_influences": [{"type": "media", "impact": 0.2}, {"type": "peer", "impact": 0.3}],
    }  # fmt: skip


async def test_av_22_a_trajectory_is_what_was_recorded(av: Any, make: Any) -> None:
    found = await av.get(f"/agent/{make.hero}", include_reasoning="true")
    kept = [{name: step[name] for name in ("tick", "state", "action", "reasoning")}
            for step in make.steps_of_the_hero()]  # fmt: skip
    assert found["trajectory"] == kept
    assert found["trajectory"][0]["action"] is None


@pytest.mark.parametrize("yes", ["true", "True", "1"])
async def test_av_23_reasoning_comes_when_asked_for(av: Any, make: Any, yes: str) -> None:
    told = (await av.get(f"/agent/{make.hero}", include_reasoning=yes))["trajectory"]
    assert told[1]["reasoning"] == "Saw positive media coverage"
    for query in ({}, {"include_reasoning": "false"}):
        silent = (await av.get(f"/agent/{make.hero}", **query))["trajectory"]
        assert [step["reasoning"] for step in silent] == [None, None, None]


async def test_av_24_a_range_of_ticks_filters_the_trajectory(av: Any, make: Any) -> None:
    async def ticks(tick_range: str) -> list[int]:
        found = await av.get(f"/agent/{make.hero}", tick_range=tick_range)
        return [step["tick"] for step in found["trajectory"]]

    assert [await ticks(text) for text in ("0-50", "25-25", "26-49", "30-900")] == [[0, 25, 50], [25], [], [50]]
    for text in ("50", "50-0", "a-b", "-5", "0-5-9", "0–50"):
        await av.refusal(f"/agent/{make.hero}", tick_range=text)


@pytest.mark.parametrize("name", [str(uuid.UUID(int=1)), "nobody", "%ED%A0%80", "a" * 300, "'%20OR%201=1--"])
async def test_av_25_an_unknown_agent_is_not_found(av: Any, name: str) -> None:
    body = (await av.ask(f"/agent/{name}")).body
    assert (body["status_code"], body["error_code"]) == (404, "AGENT_NOT_FOUND")


async def test_av_26_events_come_with_everything_that_is_known_of_them(av: Any, make: Any) -> None:
    found = await av.get("/events")
    assert (found["node_id"], found["total"]) == (make.node, 60)
    assert found["events"][15] == {
        "id": "event-15", "tick": 15, "type": "media_exposure", "source": "event_script",
        "description": "Major news coverage launched", "affected_agents": 2500, "impact_score": 0.15,
        "variable_changes": {"media_sentiment": 0.15},
    }  # fmt: skip


async def test_av_27_and_28_events_are_filtered_and_counted(av: Any) -> None:
    async def found(**query: Any) -> tuple[list[int], int]:
        page = await av.get("/events", **query)
        return [event["tick"] for event in page["events"]], page["total"]

    assert await found() == (list(range(50)), 60)
    assert await found(skip=50) == (list(range(50, 60)), 60)
    assert await found(skip=3, limit=2) == ([3, 4], 60)
    assert await found(type="media_exposure", limit=3) == ([1, 3, 5], 30)
    assert await found(tick_range="10-12") == ([10, 11, 12], 3)
    assert await found(min_impact=0.57) == ([57, 58, 59], 3)
    assert await found(type="price_change", tick_range="40-60", min_impact="0.5", skip=1, limit=2) == ([52, 54], 5)
    assert await found(type="nothing of the kind") == ([], 0)


async def test_av_28_events_are_ordered_by_tick_however_they_came(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    mixed = make.events(600)
    mixed = mixed[300:] + mixed[:300]
    await av.record([make.header(node_id=node), *mixed, {"kind": "end"}])
    page = (await av.ask("/events", node=node, params={"skip": 250, "limit": 300})).body
    assert ([event["tick"] for event in page["events"]], page["total"]) == (list(range(250, 550)), 600)


@pytest.mark.parametrize("query", [
    {"limit": 0}, {"limit": -1}, {"limit": 1001}, {"skip": -1}, {"limit": "many"}, {"min_impact": "high"},
    {"min_impact": "nan"}, {"tick_range": "x"}, {"skip": "9" * 30},
])  # fmt: skip
async def test_av_29_a_page_that_is_none_is_refused(av: Any, query: dict[str, Any]) -> None:
    await av.refusal("/events", **query)


async def test_av_37_aggregates_are_reckoned_where_the_recorder_has_not(av: Any, make: Any) -> None:
    found = await av.get("/aggregates")
    assert found["node_id"] == make.node
    assert found["computed_at"].endswith("Z")
    aggregates = found["aggregates"]
    assert (aggregates["final_adoption_rate"], aggregates["peak_adoption_rate"], aggregates["peak_tick"]) == (
        0.7, 0.7, 100,
    )  # fmt: skip
    assert aggregates["average_decision_tick"] == pytest.approx((50 + 10 + 20 + 30 + 40 + 50 + 60) / 7)
    assert aggregates["median_decision_tick"] == 40
    assert aggregates["conversion_by_segment"] == {"early_adopters": 0.75, "mainstream": 0.5, "skeptics": 0.5}
    assert aggregates["top_influencing_factors"] == [{"factor": "media_sentiment", "weight": 1.0}]


async def test_av_37_what_the_recorder_has_reckoned_stands(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    given = {
        "final_adoption_rate": 0.72, "peak_adoption_rate": 0.73, "peak_tick": 95, "average_decision_tick": 45,
        "median_decision_tick": 42, "conversion_by_segment": {"early_adopters": 0.92},
        "top_influencing_factors": [{"factor": "media_sentiment", "weight": 0.35}],
    }  # fmt: skip
    await av.record([make.header(node_id=node), make.tick(0), {"kind": "end", "aggregates": given}])
    aggregates = (await av.ask("/aggregates", node=node)).body["aggregates"]
    assert aggregates == aggregates | given


async def test_av_43_a_node_without_telemetry_is_not_found(av: Any, make: Any) -> None:
    expected = {
        "detail": "No telemetry found for node. Run may still be in progress.", "status_code": 404,
        "error_code": "TELEMETRY_NOT_FOUND", "run_status": "running",
    }  # fmt: skip
    for path in PATHS:
        answer = await av.ask(at(path, make), node=str(uuid.uuid4()))
        assert (answer.status, answer.body) == (404, expected)


async def test_av_42_while_a_run_is_being_recorded_there_is_no_telemetry(av: Any, make: Any) -> None:
    node = str(uuid.uuid4())
    begun = await av.record([make.header(node_id=node)])
    assert begun["complete"] is False
    assert (await av.ask(node=node)).body["error_code"] == "TELEMETRY_NOT_FOUND"


@pytest.mark.parametrize("path", ["/keyframe/15", "/slice?end_tick=999", "/agent/nobody", "/nothing-here"])
async def test_av_44_refusals_are_not_kept_by_caches(av: Any, path: str) -> None:
    answer = await av.ask(path)
    assert answer.status in (400, 404)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert answer.body["status_code"] == answer.status


@pytest.mark.parametrize("node", [
    "nonsense", "..%2f..%2fetc%2fpasswd", "a%00b", "%ff%fe", "a" * 5000, "%F0%9F%A6%9E", "'--", "0",
])  # fmt: skip
async def test_av_46_a_node_that_is_no_uuid_is_refused(av: Any, node: str) -> None:
    answer = await av.ask(node=node)
    assert answer.status in (400, 404)
    assert json.loads(json.dumps(answer.body))["status_code"] == answer.status


async def test_av_46_a_uuid_may_be_written_in_capitals(av: Any, make: Any) -> None:
    assert (await av.ask(node=make.node.upper())).body["node_id"] == make.node


async def test_av_50_the_daemon_says_that_it_is_ready(av: Any) -> None:
    assert (await av.cw.ask("GET", "/health/ready", key=None)).status == 200


async def test_telemetry_is_for_its_owner_and_for_keys_for_all_agents(av: Any, make: Any) -> None:
    """Somebody else's is as good as not there, and nobody records over it."""
    few = await av.cw.make_key("read", "ingest", agents=["mine-*"], name="bob")
    node = str(uuid.uuid4())
    bobs = [make.header(node_id=node), make.tick(0), {"kind": "end"}]
    await av.record(bobs, key=few)
    assert (await av.ask(node=node)).status == 200
    own = await av.cw.ask("GET", f"/api/v1/telemetry/{node}", key=few)
    foreign = await av.cw.ask("GET", f"/api/v1/telemetry/{make.node}", key=few)
    assert (own.status, foreign.status, foreign.body["error_code"]) == (200, 404, "TELEMETRY_NOT_FOUND")
    await av.record([make.header(run_id="2"), make.tick(0), {"kind": "end"}], status=403, key=few)
    listed = (await av.cw.get("/api/recordings", key=few))["recordings"]
    assert [one["node_id"] for one in listed] == [node]
