"""Broken requests: never a failure of ours, and never a sum that nobody has sent."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clawatch.config.loading import load

FOLDERS = ("claude_code/cc_protobuf_toolfail", "codex_httpjson_tool", "pydantic_ai_default", "openai_v2_latest",
           "langchain_openinference")  # fmt: skip
QUICK = {"max_examples": 6, "deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@pytest.mark.parametrize("folder", FOLDERS)
@settings(**QUICK)
@given(seed=st.integers(0, 2**32))
def test_flipped_and_cut_requests_are_refused_or_taken_and_right_ones_still_count(
    tools: SimpleNamespace, folder: str, seed: int
) -> None:
    asyncio.run(_break(tools, folder, random.Random(seed)))


async def _break(tools: SimpleNamespace, folder: str, dice: random.Random) -> None:
    async with tools.watching() as watcher:
        for file in tools.bodies(folder):
            for _ in range(6):
                assert await watcher.replay(file, _broken(file.read_bytes(), dice)) in (200, 400)
        costs = await watcher.get("/api/costs")
        assert costs["totalUsd"] >= 0
        assert costs["tokenCount"] >= 0
        await _agrees(watcher)
        for file in tools.bodies(folder):
            assert await watcher.replay(file) == 200
        await _agrees(watcher)


async def _agrees(watcher: Any) -> None:
    """Totals, costs and series are of the same events."""
    costs = await watcher.get("/api/costs")
    agents = watcher.agents().values()
    assert sum(agent.tokens for agent in agents) == costs["tokenCount"]
    points = await watcher.app.daemon.store.series(0, 2**50, 60_000, "", ("*",))
    assert sum(point.measures.tokens for point in points) == costs["tokenCount"]
    assert sum(point.measures.cost for point in points) == sum(agent.cost for agent in agents)


def _broken(body: bytes, dice: random.Random) -> bytes:
    broken = bytearray(body)
    for _ in range(dice.choice((0, 1, 1, 4))):
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
    return bytes(broken[: dice.randrange(len(broken))] if dice.random() < 0.3 else broken)


@settings(**QUICK)
@given(seed=st.integers(0, 2**32))
def test_spans_that_are_shuffled_over_requests_come_to_the_same(tools: SimpleNamespace, seed: int) -> None:
    asyncio.run(_shuffle(tools, random.Random(seed)))


async def _shuffle(tools: SimpleNamespace, dice: random.Random) -> None:
    """Every span in a request of its own, some of them twice, in any order."""
    for folder in ("pydantic_ai_default", "langchain_openinference"):
        file = next(file for file in tools.bodies(folder) if "_traces" in file.name)
        whole, singles = ExportTraceServiceRequest.FromString(file.read_bytes()), []
        for group in whole.resource_spans:
            for part in group.scope_spans:
                for span in part.spans:
                    single = ExportTraceServiceRequest()
                    one = single.resource_spans.add(resource=group.resource).scope_spans.add(scope=part.scope)
                    one.spans.append(span)
                    singles.append(single.SerializeToString())
        singles += dice.sample(singles, 3)
        dice.shuffle(singles)
        expected = await _sums(tools, [file.read_bytes()], file)
        assert await _sums(tools, singles, file) == expected


async def _sums(tools: SimpleNamespace, bodies: list[bytes], file: Path) -> dict[str, tuple[int, ...]]:
    async with tools.watching() as watcher:
        for body in bodies:
            assert await watcher.replay(file, body) == 200
        return {
            agent.id: (agent.cost, agent.tokens, agent.tool_calls, agent.error_count)
            for agent in watcher.agents().values()
        }


# -- a second address


async def test_the_door_listens_at_a_second_address_with_the_same_rights(tools: SimpleNamespace) -> None:
    port = _free_port()
    async with tools.watching({"apis": {"otlp": {"listen": f"127.0.0.1:{port}"}}}) as watcher:
        url = f"http://127.0.0.1:{port}"
        async with ClientSession(url, headers={"X-ClaWatch-Key": watcher.app.key}) as session:
            for path in ("/v1/traces", "/anything/v1/logs"):
                async with session.post(path, json={}) as answer:
                    assert (answer.status, await answer.json()) == (200, {})
        async with ClientSession(url) as nobody, nobody.post("/v1/traces", json={}) as answer:
            assert answer.status == 401
        async with ClientSession(url, headers={"Host": "evil.example"}) as other, other.get("/livez") as answer:
            assert answer.status == 421


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_an_address_that_cannot_be_had_is_told_with_its_setting(tools: SimpleNamespace) -> None:
    async with tools.watching() as first:
        port = int(first.app.url.rpartition(":")[2])
        with pytest.raises(Exception, match=rf"cannot listen on 127.0.0.1:{port}: .*; set apis.otlp.listen"):
            async with tools.watching({"apis": {"otlp": {"listen": f"127.0.0.1:{port}"}}}):
                pass


@pytest.mark.parametrize("wrong", ["4318", "127.0.0.1", "127.0.0.1:70000", "http://x:1", "a b:1", 4318])
def test_what_is_no_address_is_told_so(tmp_path: Path, wrong: object) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"apis: {{otlp: {{listen: {wrong!r}}}}}")
    with pytest.raises(Exception, match="is no address to listen on"):
        load(file, {})


async def test_a_refusal_speaks_the_encoding_of_the_request(watcher: Any) -> None:
    """Also where the gate refuses, before the door is asked."""
    wrong = {"X-ClaWatch-Key": "cw_wrong", "Content-Type": "application/x-protobuf"}
    async with watcher.session.post("/v1/traces", data=b"", headers=wrong) as answer:
        body = await answer.read()
    assert (answer.status, answer.content_type) == (401, "application/x-protobuf")
    assert body[:2] == b"\x08\x10"  # code UNAUTHENTICATED
    async with watcher.session.post("/v1/traces", data=b"", headers={**wrong, "Content-Type": "text/plain"}) as answer:
        assert sorted(await answer.json()) == ["code", "message"]
