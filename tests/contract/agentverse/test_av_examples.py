"""AV-47: the contract's Python examples, as the documentation has them, run against a recorded simulation."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"
BASE = "http://127.0.0.1:8787"


def section(page: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found.group(1)


EXAMPLES = re.findall(r"```python\n(.*?)```", section("apis.md", "AgentVerse"), re.DOTALL)


def run(source: str, names: dict[str, Any]) -> list[str]:
    said: list[str] = []
    names["print"] = said.append
    exec(compile(source, "example", "exec"), names)
    names["client"].close()
    return said


async def example(av: Any, make: Any, number: int) -> list[str]:
    """What one prints; the client is made as in the first."""
    making = EXAMPLES[0].partition("# Get adoption rate")[0]
    source = making + (EXAMPLES[number] if number else EXAMPLES[0].removeprefix(making))
    assert BASE in source
    names = {"token": av.token, "node_id": make.node, "agent_id": make.hero}
    return await asyncio.to_thread(run, source.replace(BASE, av.cw.url), names)


async def test_av_47_the_adoption_curve_is_fetched(av: Any, make: Any) -> None:
    said = await example(av, make, 0)
    assert (len(said), said[0], said[-1]) == (21, "Tick 0: 50.0%", "Tick 100: 70.0%")


async def test_av_47_segments_are_compared(av: Any, make: Any) -> None:
    assert await example(av, make, 1) == [
        "early_adopters: 95.0% adoption", "mainstream: 65.0% adoption", "skeptics: 35.0% adoption"
    ]


async def test_av_47_an_agent_is_tracked(av: Any, make: Any) -> None:
    assert await example(av, make, 2) == [
        "Agent: Urban Professional #1234",
        "Final decision: adopted at tick 50",
        "  Tick 25: researched_product - Saw positive media coverage",
        "  Tick 50: adopted - Peer recommendation pushed over threshold",
    ]


async def test_the_format_is_as_it_is_documented(av: Any) -> None:
    body = re.search(r"```json\n(.*?)```", (DOCS / "recordings.md").read_text(), re.DOTALL)
    assert body
    done = await av.record([json.loads(line) for line in body.group(1).splitlines()])
    assert done["complete"] is True
    agent = (await av.ask("/agent/agent-1", node=done["node_id"])).body
    assert (agent["final_decision"], agent["decision_tick"]) == ("adopted", 0)
    aggregates = (await av.ask("/aggregates", node=done["node_id"])).body["aggregates"]
    assert (aggregates["final_adoption_rate"], aggregates["peak_adoption_rate"]) == (0.72, 0.5)


@pytest.mark.parametrize("path", ["/api/recordings", "/frames", "/complete", "X-Start-Line", "clawatch import"])
def test_every_way_to_write_one_is_documented(path: str) -> None:
    assert path in (DOCS / "recordings.md").read_text()


async def test_refusals_have_the_codes_that_are_documented(av: Any, make: Any) -> None:
    codes = set(re.findall(r"`([A-Z_]{5,})`", section("apis.md", "AgentVerse")))
    for path in ("/keyframe/1", "/keyframe/999", "/agent/none", "/slice?metrics=x", "/slice?resolution=0"):
        assert (await av.ask(path)).body["error_code"] in codes
    for method, key in (("POST", None), ("GET", None), ("GET", await av.cw.make_key("ingest"))):
        answer = await av.cw.ask(method, f"/api/v1/telemetry/{make.node}", key=key)
        assert answer.body["error_code"] in codes
