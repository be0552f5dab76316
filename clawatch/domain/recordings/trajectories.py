"""Trajectories: the steps of agents, many agents to a block, each to be had without decoding the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from clawatch.domain.recordings.lines import Influence
from clawatch.domain.recordings.numbers import (
    MISSING,
    Column,
    Numbers,
    pack_column,
    pack_numbers,
    unpack_column,
    unpack_group,
)
from clawatch.domain.recordings.recording import Block, Kind, pack_binary, unpack_binary

SPAN_STEPS = 16_384
"""Steps that are put into their final form together."""
SPAN_BYTES = 8 * 1024 * 1024
"""Of them, as they are staged."""


class Step(Struct, frozen=True):
    tick: int
    state: dict[str, Any]
    action: str | None = None
    reasoning: str | None = None


class StagedStep(Struct, frozen=True, array_like=True):
    """A step on its way, one line of JSON; ``agent`` is its number in the recording."""

    agent: int
    tick: int
    state: dict[str, Any]
    action: str | None
    reasoning: str | None


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who an agent is, and what became of it."""

    agent_id: str
    persona_id: str | None = None
    persona_name: str | None = None
    segment: str | None = None
    region: str | None = None
    initial_state: dict[str, Any] = {}
    final_decision: str | None = None
    decision_tick: int | None = None
    key_influences: tuple[Influence, ...] = ()


class Trajectory(Struct, frozen=True):
    profile: Profile
    steps: list[Step]


class Span(Struct, frozen=True, array_like=True):
    """Steps by agent, and within one by tick. The groups of every column are the agents."""

    agents: list[int]
    counts: list[int]
    ticks: Numbers
    state: dict[str, Column]
    actions: Column


staged_steps = msgspec.json.Decoder(StagedStep).decode_lines


def pack_span(steps: Sequence[StagedStep], key: int, part: int) -> Iterator[Block]:
    """The blocks for some steps of the agents of one block."""
    ordered = sorted(steps, key=attrgetter("agent", "tick"))  # stable: steps of one tick stay as they came
    groups = [list(group) for _, group in groupby(ordered, key=attrgetter("agent"))]
    names = dict.fromkeys(name for step in ordered for name in step.state)
    span = Span(
        agents=[group[0].agent for group in groups],
        counts=[len(group) for group in groups],
        ticks=pack_numbers([[step.tick for step in group] for group in groups]),
        state={name: pack_column([[s.state.get(name, MISSING) for s in group] for group in groups]) for name in names},
        actions=pack_column([[step.action for step in group] for group in groups]),
    )
    yield Block(Kind.SPAN, key, part, pack_binary(span))
    if any(step.reasoning is not None for step in ordered):
        reasons = pack_column([[step.reasoning for step in group] for group in groups])
        yield Block(Kind.REASONS, key, part, pack_binary(reasons))


def unpack_span(body: bytes) -> Span:
    span: Span = unpack_binary(body, Span)
    return span


def steps_in(span: Span, agent: int, reasons: Column | None = None) -> list[Step]:
    """The steps of one agent (its number)."""
    if agent not in span.agents:
        return []
    group = span.agents.index(agent)
    counts = span.counts
    ticks = unpack_group(span.ticks, counts, group)
    states: list[dict[str, Any]] = [{} for _ in ticks]
    for name, column in span.state.items():
        for state, value in zip(states, unpack_column(column, counts, group), strict=True):
            if value is not MISSING:
                state[name] = value
    actions = unpack_column(span.actions, counts, group)
    spoken = [None] * len(ticks) if reasons is None else unpack_column(reasons, counts, group)
    return list(map(Step, ticks, states, actions, spoken))


def trajectory_in(
    spans: Sequence[bytes], reasons: dict[int, bytes], agent: int, first: int, last: int
) -> list[Step]:
    """One agent's steps from tick ``first`` to ``last``, inclusive; ``reasons`` are blocks by span."""
    steps: list[Step] = []
    for part, body in enumerate(spans):
        told = unpack_binary(reasons[part], Column) if part in reasons else None
        steps += [step for step in steps_in(unpack_span(body), agent, told) if first <= step.tick <= last]
    steps.sort(key=attrgetter("tick"))
    return steps


def all_steps_in(body: bytes, first: int, last: int) -> Iterator[tuple[int, Step]]:
    """Every agent's steps (by its number) in a span, without reasoning."""
    span = unpack_span(body)
    for agent in span.agents:
        for step in steps_in(span, agent):
            if first <= step.tick <= last:
                yield agent, step
