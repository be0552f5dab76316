"""Work that people ask of agents: what is wanted, and what an agent's answer makes of the run that it is."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent, Status
from clawatch.domain.commands import COMMAND_LIFE, Command, CommandState, CommandType
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis

TASK, LEARNING, COMPETITION, ENTRY, JUDGING = "task", "learning", "competition", "entry", "judging"
"""Kinds of runs that are asked for here. Entries and judgings are parts of a competition."""
WORK = frozenset({TASK, ENTRY, JUDGING})
"""What an agent is told to do with ``execute``, and has done or failed at."""
GONE = frozenset({Status.STOPPED, Status.STUCK})
"""Nobody can be waited for who stands so."""
LONGEST_ANSWER = 64 * 1024
"""Bytes; what a competition keeps of an entry."""
AT_IT = ("running", "accepted")
"""``status`` in the data of a confirmed command: the work has begun, its end comes as a ``run`` event."""


class Order(Struct, frozen=True, kw_only=True):
    """What somebody wants done: by a named agent, or by any of a kind."""

    input: dict[str, Any]
    """Goes to the agent as the command's parameters, ``runId`` beside it."""
    kind: str = TASK
    for_kind: str = ""
    agent_id: str = ""
    waits: bool = True
    """Until there is an agent that can take it; False: it is refused where there is none now."""


class Record(Struct):
    """How an agent has done with what it was asked for, since it is known."""

    completed: int = 0
    failed: int = 0
    duration: Millis = 0
    """What the completed ones took together."""
    learning_cycles: int = 0

    @property
    def success_rate(self) -> float | None:
        ended = self.completed + self.failed
        return self.completed / ended if ended else None

    @property
    def mean_duration(self) -> float | None:
        """In milliseconds."""
        return self.duration / self.completed if self.completed else None


def may_see(run: Run, principal: Principal) -> bool:
    """Everybody sees their agents' runs, and what they have asked for themselves while no agent has it."""
    if run.agent_id:
        return principal.sees(run.agent_id)
    return principal.sees_all or (bool(run.by) and run.by == principal.user)


def verb_for(run: Run) -> CommandType:
    return CommandType.LEARN if run.kind == LEARNING else CommandType.EXECUTE


def given(run: Run, agent_id: str, command_id: str, now: Millis) -> Run:
    return replace(run, agent_id=agent_id, command_id=command_id, stage="", updated_at=now)


def taken_back(run: Run, now: Millis) -> Run:
    """The run as it waits for another agent."""
    return replace(run, agent_id="", command_id="", status=RunStatus.PENDING, updated_at=now)


def ended(run: Run, status: RunStatus, now: Millis, error: str | None = None, result: Any = None) -> Run:
    progress = 1.0 if status is RunStatus.COMPLETED else run.progress
    return replace(run, status=status, progress=progress, error=error, result=result, updated_at=now)


def judged(run: Run, command: Command | None, agent: Agent | None, now: Millis) -> Run | None:
    """What has become of an open run that an agent was given; None: nothing new.

    Waits for another agent (``agent_id`` empty) where its own went before it took it.
    """
    answered = None if command is None else _answered(run, command, now)
    if answered is not None:
        return answered
    if agent is not None and agent.status not in GONE:
        return None if command is None else _under_way(run, command, now)
    if run.for_kind and run.status is RunStatus.PENDING:
        return taken_back(run, now)
    return ended(run, RunStatus.FAILED, now, f"the agent {run.agent_id} {_how_it_went(agent)}")


def _answered(run: Run, command: Command, now: Millis) -> Run | None:
    """What the agent's own answer ends."""
    run = replace(run, started_at=run.started_at or command.delivered_at)
    match command.state:
        case CommandState.CONFIRMED if not _is_at_it(command):
            return ended(run, RunStatus.COMPLETED, now, result=command.data)
        case CommandState.FAILED:
            return ended(run, RunStatus.FAILED, now, command.message or f"the agent {run.agent_id} failed at it")
        case CommandState.UNSUPPORTED:
            return ended(run, RunStatus.FAILED, now, command.message or f"the agent {run.agent_id} cannot do this")
    return None


def _under_way(run: Run, command: Command, now: Millis) -> Run | None:
    """What has begun, and what was left without an answer."""
    match command.state:
        case CommandState.DELIVERED | CommandState.CLAIMED:
            return _begun(run, command, now)
        case CommandState.CONFIRMED:
            return _begun(run, command, now) or _without_news(run, now)
        case CommandState.EXPIRED if _tells_of_itself(run):
            return _without_news(run, now)
        case CommandState.EXPIRED:
            return ended(run, RunStatus.FAILED, now, f"the agent {run.agent_id} gave no answer in time")
    return None


def _is_at_it(command: Command) -> bool:
    return isinstance(command.data, dict) and command.data.get("status") in AT_IT


def _begun(run: Run, command: Command, now: Millis) -> Run | None:
    if run.status is not RunStatus.PENDING:
        return None
    return replace(run, status=RunStatus.RUNNING, started_at=command.delivered_at or now, updated_at=now)


def _tells_of_itself(run: Run) -> bool:
    """Whether the agent has reported the run since it began: then it is not its command's answer that ends it."""
    return run.status is RunStatus.RUNNING and run.updated_at > run.started_at


def _without_news(run: Run, now: Millis) -> Run | None:
    if now - run.updated_at <= COMMAND_LIFE:
        return None
    return ended(run, RunStatus.FAILED, now, f"the agent {run.agent_id} has said nothing more of it")


def _how_it_went(agent: Agent | None) -> str:
    if agent is None:
        return "was removed"
    return "has gone silent" if agent.status is Status.STUCK else "was stopped"


def text_of(answer: Any) -> str | None:
    """What an agent answered, as text; None where it is none."""
    if isinstance(answer, dict):
        answer = next((answer[key] for key in ("response", "result", "text", "output") if key in answer), None)
    return answer if isinstance(answer, str) and answer else None


def shortened(answer: Any) -> Any:
    """The answer, or of one that is too long the beginning of its text."""
    try:
        is_short = len(msgspec.json.encode(answer)) <= LONGEST_ANSWER
    except (RecursionError, ValueError, OverflowError):
        is_short = False
    return answer if is_short else (text_of(answer) or "")[:LONGEST_ANSWER]


def number_of(answer: Any, *names: str) -> float | None:
    """A figure that an agent told with its answer, under one of these names; None where it told none."""
    if not isinstance(answer, dict):
        return None
    found = (answer[name] for name in names if name in answer)
    return next((float(one) for one in found if _is_figure(one)), None)


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST


_MOST = 1e15
"""Larger figures are no figures."""
