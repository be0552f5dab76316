"""From the domain's values to what this door says."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.competitions import Entry, Table, table_of
from clawatch.domain.money import usd
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import iso
from clawatch.domain.work import number_of
from clawatch.ports import Core, NotFound
from clawatch_plugins.devskyy.wire import (
    AgentInfo,
    CompetitionView,
    EntryView,
    FailedEntry,
    HistoryEntry,
    StatsView,
    TaskMetrics,
    TaskView,
    ToolView,
)
from clawatch_plugins.devskyy.words import TASK_WORDS, word_of

PROMPT_PREVIEW = 100
RESPONSE_PREVIEW = 200
DESCRIPTION, TOOLS, MODELS = "description", "tools", "ml_models"
"""Labels by which an agent says more of itself; the last two are lists with commas."""


def agent_view(agent: Agent, core: Core) -> AgentInfo:
    record = core.work.record(agent.id)
    return AgentInfo(
        id=agent.id,
        type=agent.kind or None,
        name=agent.name,
        description=agent.labels.get(DESCRIPTION),
        status=word_of(agent, core.work.held_by(agent.id)),
        capabilities=agent.capabilities,
        tools=tuple(ToolView(name=name) for name in _listed(agent, TOOLS)),
        ml_models=_listed(agent, MODELS),
        stats=StatsView(
            tasks_completed=record.completed,
            success_rate=_rounded(record.success_rate, 4),
            avg_latency_ms=_rounded(record.mean_duration, 1),
            total_cost_usd=usd(agent.cost),
            learning_cycles=record.learning_cycles,
        ),
    )


def _listed(agent: Agent, label: str) -> tuple[str, ...]:
    return tuple(word for text in agent.labels.get(label, "").split(",") if (word := text.strip()))


def kind_of(run: Run, core: Core) -> str | None:
    """The type of agent that a run is for, or whose it is."""
    if run.for_kind or not run.agent_id:
        return run.for_kind or None
    try:
        return core.queries.agent(run.agent_id, CORE).kind or None
    except NotFound:
        return None


def prompt_of(run: Run) -> str:
    if isinstance(run.input, dict):
        said = next((run.input[key] for key in ("prompt", "task") if key in run.input), "")
        return said if isinstance(said, str) else ""
    return run.input if isinstance(run.input, str) else ""


def preview(text: str, most: int = PROMPT_PREVIEW) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def percent(run: Run) -> float:
    return 100.0 if run.status is RunStatus.COMPLETED else round(min(max(run.progress, 0.0), 1.0) * 100, 2)


def task_view(run: Run, core: Core) -> TaskView:
    return TaskView(
        task_id=run.id,
        agent_type=kind_of(run, core),
        prompt=prompt_of(run),
        status=TASK_WORDS[run.status],
        result=run.result,
        error=run.error,
        created_at=iso(run.created_at),
        metrics=_task_metrics(run),
        agent_id=run.agent_id or None,
        progress=percent(run),
    )


def _task_metrics(run: Run) -> TaskMetrics:
    began = run.started_at or run.created_at
    tokens = number_of(run.result, "tokensUsed", "tokens_used")
    return TaskMetrics(
        start_time=iso(began),
        end_time=iso(run.ended_at) if run.ended_at else UNSET,
        duration_ms=float(run.ended_at - began) if run.ended_at else UNSET,
        tokens_used=UNSET if tokens is None else int(tokens),
        cost_usd=_set(number_of(run.result, "costUsd", "cost_usd")),
        provider=_text(run.result, "provider"),
        prompt_technique=_text(run.result, "promptTechnique", "technique_used"),
    )


def _set(value: float | None) -> float | UnsetType:
    return UNSET if value is None else value


def _text(answer: Any, *names: str) -> str | UnsetType:
    if not isinstance(answer, dict):
        return UNSET
    found = (answer[name] for name in names if name in answer)
    return next((one for one in found if isinstance(one, str)), UNSET)


def competition_view(run: Run) -> CompetitionView:
    table = table_of(run) or Table(entries=(), judge_id="")
    entries = tuple(_entry_view(entry) for entry in table.entries if entry.rank is not None)
    prompt = prompt_of(run)
    return CompetitionView(
        id=run.id,
        task_id=(run.input.get("taskId") if isinstance(run.input, dict) else None) or "",
        prompt=prompt,
        prompt_preview=preview(prompt),
        status=TASK_WORDS[run.status],
        stage=run.stage,
        winner=next((entry for entry in entries if entry.provider == table.winner), None),
        entries=entries,
        failed_entries=tuple(FailedEntry(provider=e.provider, error=e.error) for e in table.entries if e.error),
        ab_test_reasoning=table.reasoning,
        ab_test_confidence=table.confidence,
        total_duration_ms=float(run.ended_at - run.created_at) if run.ended_at else None,
        total_cost_usd=table.total_cost_usd,
        created_at=iso(run.created_at),
        error=run.error,
    )


def _entry_view(entry: Entry) -> EntryView:
    scores = {} if entry.scores is None else msgspec.to_builtins(entry.scores)
    response = entry.response or ""
    return EntryView(
        provider=entry.provider,
        rank=entry.rank or 0,
        scores={name: figure for name, figure in scores.items() if figure is not None},
        latency_ms=entry.latency_ms,
        cost_usd=entry.cost_usd,
        response_preview=preview(response, RESPONSE_PREVIEW),
        response=response,
    )


def history_entry(run: Run) -> HistoryEntry:
    table = table_of(run) or Table(entries=(), judge_id="")
    winner = next((e for e in table.entries if e.provider == table.winner), None)
    return HistoryEntry(
        id=run.id,
        prompt_preview=preview(prompt_of(run)),
        status=TASK_WORDS[run.status],
        winner_provider=table.winner,
        winner_score=winner.scores.total if winner is not None and winner.scores is not None else None,
        total_cost_usd=table.total_cost_usd,
        created_at=iso(run.created_at),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
