"""Inferences, and the knowledge graph."""

from __future__ import annotations

from typing import Any

import pytest

from clawatch.domain.time import SECOND

NOW = "2026-03-09T14:00:00.000Z"
WAYS = [("created", "created_by"), ("updated", "updated_by"), ("deleted", "deleted_by")]
INFERENCES = ("inference_started", "inference_progress", "inference_completed", "inference_failed")


@pytest.fixture
async def client(fa: Any) -> Any:
    client = await fa.connect()
    await client.subscribe(*INFERENCES)
    return client


async def run(fa: Any, **fields: Any) -> None:
    await fa.report("agent_123", "inf_789", **fields)


async def test_fa_30_31_32_an_inference_is_started_gets_on_and_is_completed(fa: Any, client: Any) -> None:
    """FA-30, FA-31, FA-32."""
    asked = {"query": "Analyze market trends", "estimated_duration": 30, "priority": "normal"}
    await run(fa, kind="inference", status="running", input=asked)
    assert await client.hear(*INFERENCES) == {
        "inference_id": "inf_789", "agent_id": "agent_123", "query": "Analyze market trends",
        "estimated_duration": 30.0, "priority": "normal", "kind": "inference", "timestamp": NOW,
    }
    fa.cw.clock.advance(20 * SECOND)
    await run(fa, progress=0.8, stage="analysis")
    progress = await client.hear(*INFERENCES)
    assert (progress["inference_id"], progress["agent_id"]) == ("inf_789", "agent_123")
    assert (progress["progress"], progress["stage"], progress["estimated_remaining"]) == (0.8, "analysis", 5.0)
    fa.cw.clock.advance(10_500)
    result = {"confidence": 0.89, "key_findings": ["trend_1", "trend_2"]}
    await run(fa, status="completed", result=result)
    completed = await client.hear(*INFERENCES)
    assert (completed["status"], completed["processing_time"]) == ("completed", 30.5)
    assert completed["result_summary"] == result
    assert client.types()[-3:] == ["inference_started", "inference_progress", "inference_completed"]


async def test_a_number_that_no_float_can_hold_is_told_as_unknown_and_ends_nothing(fa: Any, client: Any) -> None:
    beyond = 10**400
    await run(fa, kind="inference", status="running", input={"query": "q", "estimated_duration": beyond})
    assert (await client.hear(*INFERENCES))["estimated_duration"] is None
    await run(fa, status="completed", result={"confidence": beyond, "key_findings": []})
    assert (await client.hear(*INFERENCES))["result_summary"]["confidence"] is None


@pytest.mark.parametrize(("report", "code", "message"), [
    ({"status": "failed", "error": "Inference timed out after 300 seconds"}, "TIMEOUT",
     "Inference timed out after 300 seconds"),
    ({"status": "failed", "error": "no tokens left"}, "INFERENCE_FAILED", "no tokens left"),
    ({"status": "failed", "error": "x", "result": {"error_code": "OUT_OF_TOKENS"}}, "OUT_OF_TOKENS", "x"),
    ({"status": "cancelled"}, "CANCELLED", "Cancelled"),
])
async def test_fa_33_a_failed_inference_tells_why(fa: Any, client: Any, report: Any, code: str, message: str) -> None:
    """FA-33."""
    await run(fa, kind="inference", status="running", input="why?")
    assert (await client.hear(*INFERENCES))["query"] == "why?"
    fa.cw.clock.advance(300 * SECOND)
    await run(fa, **report)
    data = await client.hear("inference_failed")
    assert (data["inference_id"], data["agent_id"]) == ("inf_789", "agent_123")
    assert (data["error_code"], data["error_message"], data["processing_time"]) == (code, message, 300.0)


async def test_fa_30_how_long_it_will_take_is_told_from_those_before(fa: Any, client: Any) -> None:
    """FA-30, FA-31: null while nobody knows."""
    await run(fa, kind="inference", status="running")
    assert (await client.hear("inference_started"))["estimated_duration"] is None
    fa.cw.clock.advance(8 * SECOND)
    await run(fa, status="completed")
    await client.hear("inference_completed")
    await fa.report("agent_123", "second", kind="inference", status="running")
    assert (await client.hear("inference_started"))["estimated_duration"] == 8.0
    fa.cw.clock.advance(3 * SECOND)
    await fa.report("agent_123", "second", stage="thinking")
    assert (await client.hear("inference_progress"))["estimated_remaining"] == 5.0


async def test_fa_30_work_of_other_kinds_is_told_too_but_not_what_only_holds_it(fa: Any, client: Any) -> None:
    """FA-30: a task is one; a session or simulation is none. What only waits has not started."""
    await fa.report("a", "s", kind="session", status="running")
    await fa.report("a", "m", kind="simulation", status="running")
    await fa.report("a", "t", kind="task", status="pending")
    await fa.report("a", "t", status="running")
    data = await client.hear(*INFERENCES)
    assert (data["inference_id"], data["kind"]) == ("t", "task")
    assert await client.until_pong() == []


async def test_fa_32_one_reported_only_when_it_is_over_was_started_all_the_same(fa: Any, client: Any) -> None:
    """FA-32: and its later reports are not told again."""
    await run(fa, kind="inference", status="completed", result="forty-two")
    await client.hear("inference_started")
    assert (await client.hear(*INFERENCES))["result_summary"] == {
        "confidence": None, "key_findings": [], "text": "forty-two",
    }
    await run(fa, status="completed", result={"confidence": 1})
    assert await client.until_pong() == []


async def test_fa_32_what_began_before_the_client_came_is_not_started_again(fa: Any) -> None:
    """FA-31, FA-32."""
    await run(fa, kind="inference", status="running", progress=0.1)
    client = await fa.connect()
    await client.subscribe(*INFERENCES)
    fa.cw.clock.advance(SECOND)
    await run(fa, progress=0.2)
    await run(fa, status="completed")
    assert (await client.hear(*INFERENCES))["progress"] == 0.2
    assert (await client.hear(*INFERENCES))["status"] == "completed"


@pytest.mark.parametrize(("op", "by"), WAYS)
async def test_fa_38_40_entities_are_told_as_they_come_change_and_go(fa: Any, op: str, by: str) -> None:
    """FA-38, FA-40."""
    client = await fa.connect()
    await client.subscribe(f"entity_{op}")
    properties = {"category": "technology", "importance": "high"}
    await fa.cw.say("a", "entity", op=op, entityId="entity_789", entityType="concept", label="Quantum Computing",
                    properties=properties)
    await fa.cw.say("a", "entity", op="created" if op == "deleted" else "deleted", entityId="other")
    assert await client.hear(f"entity_{op}") == {
        "entity_id": "entity_789", "type": "concept", "label": "Quantum Computing", "properties": properties,
        "agent_id": "a", by: "a",
    }
    assert await client.until_pong() == []


@pytest.mark.parametrize(("op", "by"), WAYS)
async def test_fa_39_40_relationships_are_told_as_they_come_change_and_go(fa: Any, op: str, by: str) -> None:
    """FA-39, FA-40."""
    client = await fa.connect()
    await client.subscribe(f"relationship_{op}")
    await fa.cw.say("a", "entity", op=op, relationshipId="rel_456", sourceId="entity_123", targetId="entity_789",
                    relationshipType="related_to", strength=0.85)
    assert await client.hear(f"relationship_{op}") == {
        "relationship_id": "rel_456", "source_id": "entity_123", "target_id": "entity_789",
        "relationship_type": "related_to", "strength": 0.85, "agent_id": "a", by: "a",
    }
