"""A simulated run as NDJSON: agents that come to know a product, think about it and decide, tick by tick."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

NODE = str(uuid.UUID(int=0xBE7C4))
METRICS = ("adoption_rate", "awareness_level", "sentiment_shift")
SEGMENTS = ("early_adopters", "mainstream", "skeptics")
REGIONS = ("urban", "suburban", "rural")
THOUGHTS = (
    "Saw positive media coverage", "Peer recommendation pushed over threshold", "The price seems fair now",
    "Heard complaints from a neighbour", "Waits for a second opinion",
)  # fmt: skip
ACTIONS = ("researched_product", "asked_a_friend", "tried_it", "adopted")


def write(file: Path, agents: int, ticks: int, node: str = NODE) -> None:
    """Made once, and kept where it is."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".partial").open("w") as opened:
        opened.writelines(lines(agents, ticks, node))
    file.with_suffix(".partial").rename(file)


def agent_ids(agents: int) -> list[str]:
    rng = Random(7)
    return [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(agents)]


def lines(agents: int, ticks: int, node: str) -> Iterator[str]:
    """Every agent steps at every tick; its state is three numbers with three decimals, as such simulations have."""
    rng, ids = Random(1), agent_ids(agents)
    yield _line(
        kind="recording", node_id=node, run_id="benchmark", keyframe_interval=10, metrics=METRICS, segments=SEGMENTS,
        regions=REGIONS,
    )
    for number, agent_id in enumerate(ids):
        yield _line(
            kind="agent", agent_id=agent_id, persona_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            persona_name=f"Urban Professional #{number}", segment=rng.choice(SEGMENTS), region=rng.choice(REGIONS),
            initial_state={"adoption_intent": rng.randrange(1000) / 1000, "trust": rng.randrange(1000) / 1000},
        )
    states = [[rng.randrange(1000) for _ in range(3)] for _ in range(agents)]
    for tick in range(ticks + 1):
        yield _tick(tick, rng)
        for agent_id, state in zip(ids, states, strict=True):
            yield _step(tick, agent_id, state, rng)
        if tick % 2:
            yield _line(
                kind="event", id=f"event-{tick}", tick=tick, type=rng.choice(("media_exposure", "price_change")),
                source="event_script", description="Major news coverage launched",
                affected_agents=rng.randrange(agents), variable_changes={"media_sentiment": 0.15},
                impact_score=rng.randrange(100) / 1000,
            )
    yield _line(kind="end")


def _tick(tick: int, rng: Random) -> str:
    rate = round(0.2 + tick / 200 + rng.randrange(10) / 1000, 4)
    parts = {name: round(rate + rng.randrange(100) / 1000, 4) for name in (*SEGMENTS, *REGIONS)}
    return _line(
        kind="tick", tick=tick, metrics={"adoption_rate": rate, "awareness_level": rate / 2, "sentiment_shift": 0.02},
        by_segment={metric: {name: parts[name] for name in SEGMENTS} for metric in METRICS},
        by_region={metric: {name: parts[name] for name in REGIONS} for metric in METRICS},
        world_state={"economy_confidence": 0.75, "media_sentiment": rate, "social_trust": 0.7},
    )


def _step(tick: int, agent_id: str, state: list[int], rng: Random) -> str:
    for place in range(3):
        state[place] = min(1000, max(0, state[place] + rng.randrange(-20, 25)))
    intent, awareness, trust = (value / 1000 for value in state)
    has_acted = rng.random() < 0.02
    action = f'"{rng.choice(ACTIONS)}"' if has_acted else "null"
    reasoning = f'"{rng.choice(THOUGHTS)}"' if has_acted else "null"
    return (
        f'{{"kind":"step","tick":{tick},"agent_id":"{agent_id}","state":{{"adoption_intent":{intent},'
        f'"awareness":{awareness},"trust":{trust}}},"action":{action},"reasoning":{reasoning}}}\n'
    )


def _line(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":")) + "\n"
