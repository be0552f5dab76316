"""Competitions: several agents answer one prompt, a judge scores the answers and decides between the best two.

What happens next is a pure function of how far it has come and of what the agents have answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import MINUTE, Millis
from clawatch.domain.work import number_of, text_of

LIFE: Millis = 10 * MINUTE
"""A competition that has not come to its end by then has failed."""
ENTRIES_WITHIN: Millis = 5 * MINUTE
"""Whoever has not answered by then is left out."""
MOST_ENTRANTS = 24
MOST_SHOWN = 8_000
"""Characters of an answer that the judge is shown."""
CRITERIA = ("relevance", "quality", "completeness", "efficiency", "brand_alignment")


class Stage(StrEnum):
    GENERATING = "generating"
    SCORING = "scoring"
    AB_TESTING = "ab_testing"
    COMPLETED = "completed"


class Scores(Struct, frozen=True, kw_only=True):
    """As the judge gave them. What it did not say is None; ``total`` is its own or the mean of the others."""

    total: float
    relevance: float | None = None
    quality: float | None = None
    completeness: float | None = None
    efficiency: float | None = None
    brand_alignment: float | None = None


class Entry(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: str
    agent_id: str
    run_id: str
    rank: int | None = None
    """From 1; None while it is not settled, and where there is nothing to rank."""
    scores: Scores | None = None
    response: str | None = None
    latency_ms: float | None = None
    """From the order to the answer."""
    cost_usd: float | None = None
    """As the agent told it."""
    error: str | None = None


class Table(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a competition has come: the ``result`` of its run."""

    entries: tuple[Entry, ...]
    judge_id: str
    scoring_id: str = ""
    """The run in which the judge scores; empty: not yet."""
    ab_test_id: str = ""
    winner: str | None = None
    reasoning: str | None = None
    confidence: float | None = None
    total_cost_usd: float | None = None

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Everything that was asked of agents so far."""
        asked = (*(entry.run_id for entry in self.entries), self.scoring_id, self.ab_test_id)
        return tuple(run_id for run_id in asked if run_id)


class Judging(Struct, frozen=True):
    """What the judge is to be asked next."""

    stage: Stage
    input: dict[str, Any]


class Move(Struct, frozen=True, kw_only=True):
    """What follows: the competition as it stands then, what to ask of the judge, and whether it is over."""

    table: Table
    judging: Judging | None = None
    error: str | None = None
    """Why it has failed."""

    @property
    def is_over(self) -> bool:
        return self.judging is None


def table_of(run: Run) -> Table | None:
    """None when the run's result is none, which no run of ours is."""
    try:
        return msgspec.convert(run.result, Table)
    except (msgspec.ValidationError, RecursionError):
        return None


def next_move(run: Run, table: Table, asked: Mapping[str, Run], now: Millis) -> Move | None:
    """What follows from the answers there are; None: wait. ``asked`` are the runs that are its parts, by id."""
    if now - run.created_at >= LIFE:
        return Move(table=table, error=f"not finished within {LIFE // MINUTE} minutes")
    match run.stage:
        case Stage.GENERATING:
            return _after_generating(run, table, asked, now)
        case Stage.SCORING:
            return _after_scoring(run, table, asked.get(table.scoring_id))
        case Stage.AB_TESTING:
            return _after_ab_test(table, asked.get(table.ab_test_id))
    return Move(table=table, error="at no known stage")


def _after_generating(run: Run, table: Table, asked: Mapping[str, Run], now: Millis) -> Move | None:
    runs = [asked.get(entry.run_id) for entry in table.entries]
    if now - run.created_at < ENTRIES_WITHIN and any(one is not None and one.is_open for one in runs):
        return None
    entries = tuple(_answered(entry, one) for entry, one in zip(table.entries, runs, strict=True))
    table = replace(table, entries=entries, total_cost_usd=_cost_of(entries))
    answers = [entry for entry in entries if entry.response is not None]
    if not answers:
        return Move(table=table, error=f"no entrant has answered: {entries[0].error}")
    return Move(table=table, judging=Judging(Stage.SCORING, {
        "role": "judge", "step": Stage.SCORING, "prompt": _prompt_of(run), "criteria": list(CRITERIA),
        "entries": [_shown(entry) for entry in answers],
    }))


def _answered(entry: Entry, run: Run | None) -> Entry:
    if run is None or run.is_open:
        return replace(entry, error=f"no answer within {ENTRIES_WITHIN // MINUTE} minutes")
    response = text_of(run.result) if run.status is RunStatus.COMPLETED else None
    return replace(
        entry,
        response=response,
        latency_ms=float(run.ended_at - run.created_at),
        cost_usd=number_of(run.result, "costUsd", "cost_usd"),
        error=None if response is not None else run.error or "the answer holds no text",
    )


def _after_scoring(run: Run, table: Table, judging: Run | None) -> Move | None:
    if judging is not None and judging.is_open:
        return None
    scores = _scores_of(None if judging is None else judging.result)
    entries = ranked([replace(entry, scores=scores.get(entry.provider)) for entry in table.entries])
    table = _judged(replace(table, entries=entries), judging)
    finalists = [entry for entry in entries if entry.rank is not None and entry.rank <= 2]
    if not finalists:
        return Move(table=table, error=_why_not_judged("scored", judging))
    if len(finalists) == 1:
        return Move(table=replace(table, winner=finalists[0].provider))
    return Move(table=table, judging=Judging(Stage.AB_TESTING, {
        "role": "judge", "step": Stage.AB_TESTING, "prompt": _prompt_of(run),
        "entries": [_shown(entry) for entry in finalists],
    }))


def _after_ab_test(table: Table, judging: Run | None) -> Move | None:
    if judging is not None and judging.is_open:
        return None
    answer = None if judging is None else judging.result
    finalists = [entry.provider for entry in table.entries if entry.rank in (1, 2)]
    winner = answer.get("winner") if isinstance(answer, dict) else None
    table = _judged(table, judging)
    if winner not in finalists:
        return Move(table=table, error=_why_not_judged("decided", judging))
    assert isinstance(answer, dict)
    reasoning, confidence = answer.get("reasoning"), number_of(answer, "confidence")
    return Move(table=replace(
        table,
        entries=_with_winner(table.entries, winner),
        winner=winner,
        reasoning=reasoning if isinstance(reasoning, str) else None,
        confidence=None if confidence is None else min(confidence, 1.0),
    ))


def ranked(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """By total, those that were not scored last and without a rank; who was named first wins a tie."""
    scored = sorted((e for e in entries if e.scores), key=lambda e: -e.scores.total if e.scores else 0.0)
    rest = [replace(entry, rank=None) for entry in entries if entry.scores is None]
    return (*(replace(entry, rank=place) for place, entry in enumerate(scored, start=1)), *rest)


def _with_winner(entries: tuple[Entry, ...], winner: str) -> tuple[Entry, ...]:
    """The winner of the last test first, whatever its score."""
    first, *others = sorted(entries, key=lambda entry: entry.provider != winner)
    order = [first, *others]
    return tuple(
        entry if entry.rank is None else replace(entry, rank=place) for place, entry in enumerate(order, start=1)
    )


def _scores_of(answer: Any) -> dict[str, Scores]:
    """``{"scores": {provider: {criterion: figure, "total"?: figure}}}``; whatever else it says is passed over."""
    told = answer.get("scores") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return {}
    scores = {provider: _score_of(one) for provider, one in told.items()}
    return {provider: one for provider, one in scores.items() if one is not None}


def _score_of(told: Any) -> Scores | None:
    figures = {name: figure for name in CRITERIA if (figure := number_of(told, name)) is not None}
    total = number_of(told, "total")
    if total is None and figures:
        total = round(math.fsum(figures.values()) / len(figures), 4)
    return None if total is None else Scores(total=total, **figures)


def _judged(table: Table, judging: Run | None) -> Table:
    """The judge's own cost counts too."""
    cost = None if judging is None else number_of(judging.result, "costUsd", "cost_usd")
    return table if cost is None else replace(table, total_cost_usd=(table.total_cost_usd or 0.0) + cost)


def _why_not_judged(verb: str, judging: Run | None) -> str:
    why = "it is not known any more" if judging is None else judging.error or f"its answer says not what it {verb}"
    return f"the judge has not {verb}: {why}"


def _cost_of(entries: Sequence[Entry]) -> float | None:
    known = [entry.cost_usd for entry in entries if entry.cost_usd is not None]
    return math.fsum(known) if known else None


def _prompt_of(run: Run) -> str:
    prompt = run.input.get("prompt") if isinstance(run.input, dict) else None
    return prompt if isinstance(prompt, str) else ""


def _shown(entry: Entry) -> dict[str, Any]:
    return {"provider": entry.provider, "response": (entry.response or "")[:MOST_SHOWN]}
