"""What real programs sent comes to what they themselves say of it: over real HTTP, in any order, and twice over.

``docs/agents.md`` shows the same figures, and is held to them here.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.apis.telemetry import Encoding, MetricPoint, OtlpSignal, Record, SpanRecord, decode

DOCS = Path(__file__).parents[3] / "docs" / "agents.md"
FOLDERS = (
    "claude_code/cc_httpjson_tool", "claude_code/cc_protobuf_toolfail", "claude_code/cc_httpjson_apierror",
    "claude_code/cc_cumulative_slow7s", "claude_code/cc_hooks_tool", "codex_httpjson_tool", "pydantic_ai_default",
    "openai_v2_latest", "langchain_openinference",
)  # fmt: skip
FEW = [folder for folder in FOLDERS if folder not in ("claude_code/cc_cumulative_slow7s", "codex_httpjson_tool")]


@dataclass(frozen=True)
class Line:
    """What one agent comes to."""

    cost: float
    input: int
    output: int
    tools: int
    errors: int
    status: str


def documented() -> dict[str, dict[str, Line]]:
    """The figures of ``docs/agents.md``, by recording and agent."""
    found: dict[str, dict[str, Line]] = {}
    row = r"^\| `([^`]+)` \| `([^`]+)` \| \$([\d.]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| (\d+) \| (\w+) \|$"
    for folder, agent, cost, read, written, tools, errors, status in re.findall(row, DOCS.read_text(), re.MULTILINE):
        numbers = (int(number.replace(",", "")) for number in (read, written, tools, errors))
        found.setdefault(folder, {})[agent] = Line(float(cost), *numbers, status)
    return found


EXPECTED = documented()


async def check(tools: SimpleNamespace, folder: str, order: list[Path]) -> None:
    async with tools.watching() as watcher:
        for file in order:
            assert await watcher.replay(file) == 200
        points = await watcher.app.daemon.store.series(0, tools.after, 60_000, "agent", ("*",))
        sums: dict[str, tuple[int, int]] = {}
        for point in points:
            known = sums.get(point.group, (0, 0))
            sums[point.group] = (known[0] + point.measures.input, known[1] + point.measures.output)
        seen = {
            agent.id: Line(
                agent.cost / 10**9, *sums.get(agent.id, (0, 0)), agent.tool_calls, agent.error_count, str(agent.status)
            )
            for agent in watcher.agents().values()
        }
        costs = await watcher.get("/api/costs")
    assert seen == EXPECTED[folder]
    assert costs["totalUsd"] == pytest.approx(sum(line.cost for line in seen.values()))
    assert costs["tokenCount"] == sum(line.input + line.output for line in seen.values())


def test_every_recording_is_documented() -> None:
    assert set(EXPECTED) == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
async def test_a_recording_comes_to_its_figures_also_when_it_is_sent_twice(tools: SimpleNamespace, folder: str) -> None:
    files = tools.bodies(folder)
    await check(tools, folder, files)
    await check(tools, folder, [*files, *reversed(files)])


@pytest.mark.parametrize("folder", FEW)
async def test_requests_may_arrive_in_any_order(tools: SimpleNamespace, folder: str) -> None:
    for order in permutations(tools.bodies(folder)):
        await check(tools, folder, list(order))


@pytest.mark.parametrize("folder", ["claude_code/cc_cumulative_slow7s", "codex_httpjson_tool"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_many_requests_may_arrive_in_any_order(tools: SimpleNamespace, folder: str, data: st.DataObject) -> None:
    order = data.draw(st.permutations(tools.bodies(folder)))
    asyncio.run(check(tools, folder, [*order, *data.draw(st.permutations(order))]))


# -- the figures themselves are what the programs say


def told(tools: SimpleNamespace, folder: str, signal: str) -> list[Record]:
    """A recording's records of one signal."""
    found: list[Record] = []
    for file in tools.bodies(folder):
        if f"_{signal}." in file.name:
            encoding = Encoding.JSON if ".json" in file.name else Encoding.PROTOBUF
            found += decode(file.read_bytes(), OtlpSignal(signal), encoding)
    return found


def total(folder: str) -> tuple[float, int, int]:
    lines = EXPECTED[folder].values()
    return sum(line.cost for line in lines), sum(line.input for line in lines), sum(line.output for line in lines)


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder.startswith("claude_code")])
def test_claude_code_says_so_itself(tools: SimpleNamespace, folder: str) -> None:
    said: dict[str, Any] = json.loads((tools.samples / folder / "claude.stdout").read_text())
    used = said["usage"]
    read = used["input_tokens"] + used["cache_read_input_tokens"] + used["cache_creation_input_tokens"]
    assert total(folder) == (pytest.approx(said["total_cost_usd"]), read, used["output_tokens"])
    ((agent, line),) = EXPECTED[folder].items()
    assert agent == f"claude-code:{said['session_id']}"
    assert line.tools == said["num_turns"] - 1
    assert (line.status == "error") is said["is_error"]


def test_codex_says_so_itself(tools: SimpleNamespace) -> None:
    said = [json.loads(line) for line in (tools.samples / "codex_httpjson_tool/stdout").read_text().splitlines()]
    usage = next(line["usage"] for line in said if line["type"] == "turn.completed")
    thread = next(line["thread_id"] for line in said if line["type"] == "thread.started")
    calls = [line for line in said if line["type"] == "item.completed" and line["item"]["type"] == "command_execution"]
    ((agent, line),) = EXPECTED["codex_httpjson_tool"].items()
    assert agent == f"codex:{thread}"
    assert (line.input, line.output, line.tools) == (usage["input_tokens"], usage["output_tokens"], len(calls))


def test_pydantic_ai_says_so_in_its_own_sums(tools: SimpleNamespace) -> None:
    """Its agents' spans repeat the totals, which is why they are not counted."""
    runs = [
        record.attributes for record in told(tools, "pydantic_ai_default", "traces")
        if isinstance(record, SpanRecord) and record.attributes.get("gen_ai.operation.name") == "invoke_agent"
    ]
    expected = EXPECTED["pydantic_ai_default"]
    assert {f"research-bot/{run['gen_ai.agent.name']}" for run in runs} == set(expected)
    for run in runs:
        line = expected[f"research-bot/{run['gen_ai.agent.name']}"]
        assert line.input == run["gen_ai.aggregated_usage.input_tokens"]
        assert line.output == run["gen_ai.aggregated_usage.output_tokens"]
    cost = [r for r in told(tools, "pydantic_ai_default", "metrics") if r.name == "operation.cost"]  # type: ignore[union-attr]
    assert [point.value for point in cost if isinstance(point, MetricPoint)] == [total("pydantic_ai_default")[0]]


def test_openai_s_instrumentation_says_so_in_its_metrics(tools: SimpleNamespace) -> None:
    sums = {"input": 0.0, "output": 0.0}
    for point in told(tools, "openai_v2_latest", "metrics"):
        if isinstance(point, MetricPoint) and point.name == "gen_ai.client.token.usage":
            sums[point.attributes["gen_ai.token.type"]] += point.value
    assert total("openai_v2_latest")[1:] == (sums["input"], sums["output"])


def test_langchain_says_so_in_its_models_spans(tools: SimpleNamespace) -> None:
    models = [
        record.attributes for record in told(tools, "langchain_openinference", "traces")
        if isinstance(record, SpanRecord) and record.attributes.get("openinference.span.kind") == "LLM"
    ]
    sums = [sum(one.get(f"llm.token_count.{name}", 0) for one in models) for name in ("prompt", "completion")]
    assert list(total("langchain_openinference")[1:]) == sums
