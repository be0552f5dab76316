"""What a journal entry means to the clients of this door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clawatch.apis.fanout import News
from clawatch.apis.statuses import StatusChange, Statuses
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control, Status
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import AlertChanged, CommandChanged, ControlChanged, Entry, Removed, RunChanged, Silenced
from clawatch.domain.time import Millis, iso
from clawatch.ports import Core, NotFound
from clawatch_plugins.freeagentics import entities, inferences
from clawatch_plugins.freeagentics.alerts import performance_alert
from clawatch_plugins.freeagentics.figures import Figures
from clawatch_plugins.freeagentics.orders import Orders
from clawatch_plugins.freeagentics.steps import Steps
from clawatch_plugins.freeagentics.subscription import FLEET_ALERT
from clawatch_plugins.freeagentics.wire import AgentCreated, AgentDeleted, AgentStatus, AgentUpdated, Message
from clawatch_plugins.freeagentics.words import PERFORMANCE_ALERT, STATUS_OF

_FACTS = ("name", "host", "kind", "group", "labels", "capabilities")
_VERBS = {Control.RUN: "started", Control.PAUSED: "paused", Control.STOPPED: "stopped"}


class Translation:
    """Compares each agent and run with what was last told of it."""

    def __init__(self, core: Core, figures: Figures, orders: Orders) -> None:
        self._queries = core.queries
        self._figures = figures
        self._orders = orders
        self._statuses = Statuses(core.queries)
        self._agents = {agent.id: agent for agent in core.queries.agents(CORE)}
        self._steps = Steps()

    def __call__(self, entry: Entry) -> Iterator[News]:
        for message in self._of_agent(entry):
            yield News(message.type, entry.agent_id, message)
        yield from self._of_body(entry)

    def _of_body(self, entry: Entry) -> Iterator[News]:
        match entry.body:
            case RunChanged():
                run = entry.body.run
                for step in self._steps.of(run):
                    yield News(step, run.agent_id, inferences.message_of(step, run, self._figures, entry.at))
            case AlertChanged() if (data := performance_alert(entry.body)) is not None:
                topic = PERFORMANCE_ALERT if entry.agent_id else FLEET_ALERT
                yield News(topic, entry.agent_id, Message(PERFORMANCE_ALERT, iso(entry.at), data))
            case CommandChanged():
                yield from self._of_command(entry.body, entry.at)
            case Event(type=EventType.ENTITY) if entry.body.origin is not Origin.HISTORY:
                message = entities.message_of(entry.body, entry.at)
                if message is not None:
                    yield News(message.type, entry.agent_id, message)

    def _of_command(self, changed: CommandChanged, at: Millis) -> Iterator[News]:
        command = changed.command
        self._orders.follow(command, at)
        if command.type is CommandType.UPDATE_CONFIG and command.state is CommandState.CONFIRMED:
            agent = self._agents.get(command.agent_id)
            yield News("agent_updated", command.agent_id, Message("agent_updated", iso(at), AgentUpdated(
                agent_id=command.agent_id,
                name=command.agent_id if agent is None else agent.name,
                changes={"configuration": command.parameters},
                updated_by=command.requested_by,
            )))

    # -- agents

    def _of_agent(self, entry: Entry) -> Iterator[Message]:
        change = self._statuses.change(entry)
        known, agent = self._agents.get(entry.agent_id), self._look_up(entry.agent_id)
        at = iso(entry.at)
        if agent is None:
            if known is not None:
                yield Message("agent_deleted", at, _deleted(known, entry))
            return
        if known is None:
            yield Message("agent_created", at, _created(agent))
        elif changes := _changes(known, agent):
            data = AgentUpdated(agent_id=agent.id, name=agent.name, changes=changes, updated_by=None)
            yield Message("agent_updated", at, data)
        if change is not None or isinstance(entry.body, ControlChanged):
            yield Message("agent_status", at, self._status(agent, change, entry))

    def _look_up(self, agent_id: str) -> Agent | None:
        """The agent as it is now; remembered for the next time."""
        try:
            agent = self._agents[agent_id] = self._queries.agent(agent_id, CORE)
        except NotFound:
            self._agents.pop(agent_id, None)
            return None
        return agent

    def _status(self, agent: Agent, change: StatusChange | None, entry: Entry) -> AgentStatus:
        old = agent.status if change is None else change.old or Status.PENDING
        return agent_status(agent, old, _reason(entry, is_new=change is not None and change.old is None,
                                                is_same=change is None), self._figures, entry.at)


def agent_status(agent: Agent, old: Status, reason: str, figures: Figures, at: Millis) -> AgentStatus:
    runs, last = figures.runs(agent.id)
    return AgentStatus(
        agent_id=agent.id,
        old_status=STATUS_OF[old],
        new_status=STATUS_OF[agent.status],
        reason=reason,
        last_inference=iso(last) if last else None,
        inference_count=runs,
        status=STATUS_OF[agent.status],
        timestamp=iso(at),
    )


def _created(agent: Agent) -> AgentCreated:
    return AgentCreated(
        agent_id=agent.id,
        name=agent.name,
        template=agent.kind or None,
        created_by=agent.owner or None,
        status=STATUS_OF[agent.status],
    )


def _deleted(known: Agent, entry: Entry) -> AgentDeleted:
    by = entry.body.by if isinstance(entry.body, Removed) else None
    reason = "expired" if by == CORE.user else "user_request"
    return AgentDeleted(agent_id=known.id, name=known.name, deleted_by=by, reason=reason)


def _changes(known: Agent, agent: Agent) -> dict[str, Any]:
    if known is agent:
        return {}
    return {name: new for name in _FACTS if (new := getattr(agent, name)) != getattr(known, name)}


def _reason(entry: Entry, *, is_new: bool, is_same: bool) -> str:
    """Why a status is told, in the manner of the contract: ``started_by_user``."""
    if is_new:
        return "first_report"
    match entry.body:
        case ControlChanged():
            verb = "restarted" if is_same and entry.body.control is Control.RUN else _VERBS[entry.body.control]
            return f"{verb}_by_rule" if entry.body.by == CORE.user else f"{verb}_by_user"
        case Silenced():
            return "no_sign_of_life"
        case AlertChanged():
            return "alert_resolved"
        case CommandChanged():
            return f"{entry.body.command.type}_{entry.body.command.state}"
        case Event(type=EventType.ERROR):
            return "error_reported"
    return "reported_by_agent"
