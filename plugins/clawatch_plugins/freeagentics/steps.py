"""The steps of runs, as this contract tells them: an inference is started, gets on, is completed or fails."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal, NamedTuple

from clawatch.domain.runs import TERMINAL, Run, RunKey, RunStatus

Step = Literal["inference_started", "inference_progress", "inference_completed", "inference_failed"]

CONTAINERS = frozenset({"session", "simulation"})
"""Kinds of runs that hold others rather than being a piece of work; they are no inferences."""
MEMORY = 10_000


class _Told(NamedTuple):
    has_started: bool
    is_over: bool
    progress: float
    stage: str


class Steps:
    """What the newest report of a run brings, compared with what was told of it before; bounded."""

    def __init__(self) -> None:
        self._told: OrderedDict[RunKey, _Told] = OrderedDict()

    def of(self, run: Run) -> list[Step]:
        """A run that is first seen on its way is told as started only if it has not got on yet."""
        known = self._told.get(run.key)
        if run.kind in CONTAINERS or (known is not None and known.is_over):
            return []
        has_started = run.status is not RunStatus.PENDING or (known is not None and known.has_started)
        self._told[run.key] = _Told(has_started, _is_over(run), run.progress, run.stage)
        self._told.move_to_end(run.key)
        if len(self._told) > MEMORY:
            self._told.popitem(last=False)
        return [] if run.status is RunStatus.PENDING else list(_steps(run, known))


def _steps(run: Run, known: _Told | None) -> Iterator[Step]:
    if known is None:
        is_new = run.created_at == run.updated_at or not (_has_got_on(run) or _is_over(run))
    else:
        is_new = not known.has_started
    if is_new:
        yield "inference_started"
    if _is_over(run):
        yield "inference_completed" if run.status is RunStatus.COMPLETED else "inference_failed"
    elif _has_got_on(run) and (known is None or (run.progress, run.stage) != (known.progress, known.stage)):
        yield "inference_progress"


def _is_over(run: Run) -> bool:
    return run.status in TERMINAL


def _has_got_on(run: Run) -> bool:
    return run.progress > 0 or bool(run.stage)
