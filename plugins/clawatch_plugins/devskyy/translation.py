"""From rows of the journal to the frames of the channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clawatch.apis.fanout import News
from clawatch.apis.statuses import Statuses
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, Reason
from clawatch.domain.competitions import Stage, table_of
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import AlertChanged, Entry, RunChanged
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis, iso
from clawatch.domain.words import one_line
from clawatch.domain.work import COMPETITION, LEARNING, TASK, WORK
from clawatch.ports import Core, NotFound
from clawatch_plugins.devskyy.views import kind_of, percent, preview, prompt_of
from clawatch_plugins.devskyy.wire import (
    AgentStatusUpdate,
    CompetitionUpdate,
    ErrorMessage,
    PipelineUpdate,
    TaskUpdate,
)
from clawatch_plugins.devskyy.words import (
    COMPLETED,
    ERROR,
    ERROR_TYPES,
    PIPELINE,
    STAGES,
    TASK_WORDS,
    pipeline_stage,
    word_of,
)

AGENTS, TASKS, ROUND_TABLE, PIPELINES, METRICS = "agents", "tasks", "round_table", PIPELINE, "metrics"
CHANNELS = (AGENTS, ROUND_TABLE, TASKS, PIPELINES, METRICS)
LONGEST_MESSAGE = 500
MOST_STAGES = 1_000
"""Competitions whose last stage is remembered, so that each is told once."""


class Translation:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._statuses = Statuses(core.queries)
        self._stages: dict[str, str] = {}

    def __call__(self, entry: Entry) -> Iterator[News]:
        is_told = False
        if isinstance(entry.body, RunChanged):
            for news in self._of_run(entry.body, entry.at):
                is_told = is_told or news.topic == AGENTS
                yield news
        change = self._statuses.change(entry)
        if change is not None and change.agent is not None and not is_told:
            yield News(AGENTS, change.agent_id, agent_update(change.agent, self._core, entry.at))
        yield from self._errors(entry)

    # -- runs

    def _of_run(self, changed: RunChanged, at: Millis) -> Iterable[News]:
        run = changed.run
        if run.kind == COMPETITION:
            yield from self._of_competition(run, changed.was, at)
        elif run.kind == PIPELINE:
            yield from _of_pipeline(run, changed.was, at)
        elif run.kind == TASK:
            yield from self._of_task(run, changed.was, at)
        if run.agent_id and (run.kind in WORK or run.kind == LEARNING):
            yield from self._of_its_agent(changed, at)

    def _of_task(self, run: Run, was: RunStatus | None, at: Millis) -> Iterable[News]:
        kind = kind_of(run, self._core)
        yield News(TASKS, run.agent_id, TaskUpdate(
            task_id=run.id,
            status=TASK_WORDS[run.status],
            progress=percent(run),
            data={"agent_id": run.agent_id or None, "agent_type": kind},
            timestamp=iso(at),
        ))
        if run.status is RunStatus.FAILED and was is not RunStatus.FAILED:
            yield News(TASKS, run.agent_id, _error("error", f"Task {run.id} failed: {_why(run)}", at))

    def _of_its_agent(self, changed: RunChanged, at: Millis) -> Iterable[News]:
        """It is at work, has completed or failed; and after that how it stands then."""
        run = changed.run
        agent = self._agent(run.agent_id)
        if agent is None or (changed.was is run.status and changed.moved_from is None):
            return
        if run.status in (RunStatus.COMPLETED, RunStatus.FAILED):
            word = COMPLETED if run.status is RunStatus.COMPLETED else ERROR
            yield News(AGENTS, agent.id, agent_update(agent, self._core, at, word, run))
        yield News(AGENTS, agent.id, agent_update(agent, self._core, at, run=run if run.is_open else None))

    def _of_competition(self, run: Run, was: RunStatus | None, at: Millis) -> Iterable[News]:
        if run.stage in STAGES and self._stages.get(run.id) != run.stage:
            self._remember(run.id, run.stage)
            yield News(ROUND_TABLE, run.agent_id, CompetitionUpdate(
                competition_id=run.id, stage=run.stage, data=_competition_data(run), timestamp=iso(at)
            ))
        if run.status in (RunStatus.FAILED, RunStatus.CANCELLED) and was is not run.status:
            yield News(ROUND_TABLE, run.agent_id, _error("error", f"Competition {run.id} failed: {_why(run)}", at))

    def _remember(self, run_id: str, stage: str) -> None:
        self._stages.pop(run_id, None)
        if stage != Stage.COMPLETED:
            self._stages[run_id] = stage
        if len(self._stages) > MOST_STAGES:
            del self._stages[next(iter(self._stages))]

    # -- errors

    def _errors(self, entry: Entry) -> Iterable[News]:
        match entry.body:
            case Event(type=EventType.ERROR, error=str() as said) as event:
                name = one_line(event.agent_id)
                yield News(AGENTS, event.agent_id, _error("error", f"Agent {name} failed: {said}", entry.at))
            case AlertChanged(alert=alert, reason=Reason.FIRED | Reason.RAISED) if alert.state is AlertState.FIRING:
                yield News(AGENTS, alert.agent_id, _error(ERROR_TYPES[alert.severity], _alarm(alert), entry.at))

    def _agent(self, agent_id: str) -> Agent | None:
        try:
            return self._core.queries.agent(agent_id, CORE)
        except NotFound:
            return None


def agent_update(
    agent: Agent, core: Core, at: Millis, word: str | None = None, run: Run | None = None
) -> AgentStatusUpdate:
    """How an agent stands, and what it works on: ``run``, else the latest that it has been given."""
    held = core.work.held_by(agent.id)
    run = run or (held[-1] if held else None)
    prompt = prompt_of(run) if run is not None else ""
    return AgentStatusUpdate(
        agent_id=agent.id,
        status=word or word_of(agent, held),
        data={
            "agent_type": agent.kind or None,
            "task_id": None if run is None else run.id,
            "prompt_preview": preview(prompt) or None,
            "started_at": iso(run.started_at) if run is not None and run.started_at else None,
        },
        timestamp=iso(at),
    )


def _competition_data(run: Run) -> dict[str, Any]:
    table = table_of(run)
    data: dict[str, Any] = {
        "entries_count": 0 if table is None else len(table.entries), f"{run.stage}_started_at": iso(run.updated_at)
    }  # fmt: skip
    if table is not None and table.winner is not None:
        data["winner"] = table.winner
    return data


def _of_pipeline(run: Run, was: RunStatus | None, at: Millis) -> Iterable[News]:
    told = run.input if isinstance(run.input, dict) else {}
    yield News(PIPELINES, run.agent_id, PipelineUpdate(
        pipeline_id=run.id,
        stage=pipeline_stage(run),
        progress=percent(run),
        data={
            "prompt": preview(prompt_of(run)),
            "format": one_line(str(told["format"])) if "format" in told else None,
            "started_at": iso(run.started_at or run.created_at),
        },
        timestamp=iso(at),
    ))
    if run.status is RunStatus.FAILED and was is not RunStatus.FAILED:
        yield News(PIPELINES, run.agent_id, _error("error", f"Pipeline {run.id} failed: {_why(run)}", at))


def _why(run: Run) -> str:
    return run.error or "no reason given"


def _alarm(alert: Alert) -> str:
    who = f"Agent {one_line(alert.agent_id)}" if alert.agent_id else "The fleet"
    return f"{who}: {alert.message}"


def _error(kind: str, text: str, at: Millis) -> ErrorMessage:
    return ErrorMessage(error_type=kind, message=one_line(text, LONGEST_MESSAGE), timestamp=iso(at))
