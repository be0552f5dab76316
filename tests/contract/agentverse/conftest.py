"""A daemon with a recorded simulation, and a client that asks for it as AgentVerse's do."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from multidict import CIMultiDict

NODE = str(uuid.UUID(int=0xA9E27))
SIMULATED = [str(uuid.UUID(int=0xA0000 + number)) for number in range(12)]
HERO = SIMULATED[0]
SEGMENTS = ["early_adopters", "mainstream", "skeptics"]
REGIONS = ["urban", "suburban", "rural"]
RATES = {"early_adopters": 0.85, "mainstream": 0.55, "skeptics": 0.25}

Lines = list[dict[str, Any]]


def header(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "recording", "node_id": NODE, "run_id": "run-1", "keyframe_interval": 10,
        "metrics": ["adoption_rate", "sentiment_shift"], "segments": SEGMENTS, "regions": REGIONS,
        "started_at": "2026-01-09T12:00:00Z", "tick_seconds": 1.5, **fields,
    }  # fmt: skip


def tick(number: int) -> dict[str, Any]:
    return {
        "kind": "tick", "tick": number,
        "metrics": {"adoption_rate": round(0.5 + number / 500, 4), "sentiment_shift": number / 100},
        "by_segment": {"adoption_rate": {name: round(rate + number / 1000, 4) for name, rate in RATES.items()}},
        "by_region": {"adoption_rate": dict(zip(REGIONS, (0.72, 0.58, 0.45), strict=True))},
        "world_state": {"economy_confidence": 0.75, "media_sentiment": round(0.6 - number / 1000, 4)},
    }  # fmt: skip


def agents() -> Lines:
    """Twelve: four of each segment. The hero's trajectory is the contract's example."""
    return [
        {
            "kind": "agent", "agent_id": agent_id, "persona_id": str(uuid.UUID(int=number)),
            "persona_name": f"Urban Professional #{1234 + number}", "segment": SEGMENTS[number % 3],
            "region": REGIONS[number // 4], "initial_state": {"adoption_intent": 0.5, "awareness": 0.3, "trust": 0.6},
            "key_influences": [{"type": "media", "impact": 0.2}, {"type": "peer", "impact": 0.3}],
        }
        for number, agent_id in enumerate(SIMULATED)
    ]  # fmt: skip


def steps_of_the_hero() -> Lines:
    told = [
        (0, {"adoption_intent": 0.5, "awareness": 0.3}, None, None),
        (25, {"adoption_intent": 0.7, "awareness": 0.8}, "researched_product", "Saw positive media coverage"),
        (50, {"adoption_intent": 0.9, "awareness": 1.0}, "adopted", "Peer recommendation pushed over threshold"),
    ]
    return [
        {"kind": "step", "tick": at, "agent_id": HERO, "state": state, "action": action, "reasoning": reasoning}
        for at, state, action, reasoning in told
    ]


def steps_of_the_others() -> Lines:
    """Numbers 1 to 6 adopt at ten times their number; 10 and 11 never take a step."""
    first = [{"kind": "step", "tick": 0, "agent_id": one, "state": {"awareness": 0.1}} for one in SIMULATED[1:10]]
    return first + [
        {"kind": "step", "tick": number * 10, "agent_id": SIMULATED[number], "state": {"awareness": 1},
         "action": "adopted"}
        for number in range(1, 7)
    ]  # fmt: skip


def events(number: int = 60) -> Lines:
    return [
        {
            "kind": "event", "id": f"event-{place}", "tick": place, "source": "event_script",
            "type": "media_exposure" if place % 2 else "price_change", "description": "Major news coverage launched",
            "affected_agents": 2500, "variable_changes": {"media_sentiment": 0.15}, "impact_score": place / 100,
        }
        for place in range(number)
    ]  # fmt: skip


def simulation(**fields: Any) -> Lines:
    ticks = [tick(number) for number in range(101)]
    steps = steps_of_the_hero() + steps_of_the_others()
    return [header(**fields), *agents(), *ticks, *steps, *events(), {"kind": "end"}]


def packed(lines: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@dataclass
class Av:
    """A client of the telemetry of ``NODE``."""

    cw: Any
    token: str

    async def ask(self, path: str = "", method: str = "GET", node: str = NODE, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        answer = await self.cw.ask(method, f"/api/v1/telemetry/{node}{path}", key=None, headers=headers, **request)
        answer.headers = CIMultiDict(answer.headers)
        return answer

    async def get(self, path: str = "", **query: Any) -> Any:
        answer = await self.ask(path, params=query)
        assert answer.status == 200, answer
        return answer.body

    async def refusal(self, path: str = "", status: int = 400, **query: Any) -> Any:
        """The body of a refusal, which is in AgentVerse's words."""
        answer = await self.ask(path, params=query)
        assert (answer.status, answer.body["status_code"]) == (status, status), answer
        assert {"detail", "error_code"} <= set(answer.body)
        return answer.body

    async def record(self, lines: Iterable[Any], status: int = 201, key: str = "") -> Any:
        answer = await self.cw.ask("POST", "/api/recordings", data=io.BytesIO(packed(lines)), key=key)
        assert answer.status == status, answer
        return answer.body


@pytest.fixture
def lines() -> Lines:
    return simulation()


@pytest.fixture
async def av(cw: Any, lines: Lines) -> AsyncIterator[Av]:
    """With the simulation recorded."""
    client = Av(cw, await cw.make_key("read", name="reader"))
    assert (await client.record(lines))["complete"] is True
    yield client


@pytest.fixture
def make() -> Any:
    """What recordings are made of: ``make.header(…)``, ``make.tick(3)``, ``make.events(9)``, ``make.packed(…)``."""

    class Make:
        node, hero, simulated, segments, regions = NODE, HERO, SIMULATED, SEGMENTS, REGIONS
        header, tick, agents = staticmethod(header), staticmethod(tick), staticmethod(agents)
        events, simulation, packed = staticmethod(events), staticmethod(simulation), staticmethod(packed)
        steps_of_the_hero = staticmethod(steps_of_the_hero)

    return Make
