"""What a journal entry means to the clients of this door."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from clawatch.apis.fanout import News
from clawatch.apis.statuses import StatusChange, Statuses
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control, Status
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Origin
from clawatch.domain.journal import AlertChanged, CommandChanged, ControlChanged, Entry, Removed, RunChanged
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
_facts = attrgetter(*_FACTS)
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
        self._held: dict[str, Status] = {}
        """How agents stood before a change of control that is still to be told."""

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
        old = self._old_status(known, agent, change, entry)
        if old is not None:
            yield Message("agent_status", at, agent_status(
                agent, old, _reason(known, agent, old, entry), self._figures, entry.at
            ))

    def _look_up(self, agent_id: str) -> Agent | None:
        """The agent as it is now; remembered for the next time."""
        try:
            agent = self._agents[agent_id] = self._queries.agent(agent_id, CORE)
        except NotFound:
            self._agents.pop(agent_id, None)
            return None
        return agent

    def _old_status(
        self, known: Agent | None, agent: Agent, change: StatusChange | None, entry: Entry
    ) -> Status | None:
        """How the agent stood before; None when there is nothing to tell now.

        What its owner has changed is told with the owner's word, though another entry of the same commit, or one
        that was told late, lets us see it before.
        """
        is_word = isinstance(entry.body, ControlChanged) and entry.body.control is agent.control
        if is_word:
            held = self._held.pop(agent.id, None)
            return held or (agent.status if change is None else change.old or Status.PENDING)
        if change is None:
            return None
        if known is not None and known.control is not agent.control and not _is_new_start(entry):
            self._held[agent.id] = change.old or Status.PENDING
            return None
        return change.old or Status.PENDING


def _is_new_start(entry: Entry) -> bool:
    """Whether it may have ended an agent's stop by itself: then no word of its owner's is to come."""
    return isinstance(entry.body, Event) and entry.body.activity is Activity.RUNNING


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
    if _facts(known) == _facts(agent):
        return {}
    return {name: new for name in _FACTS if (new := getattr(agent, name)) != getattr(known, name)}


def _reason(known: Agent | None, agent: Agent, old: Status, entry: Entry) -> str:
    """Why a status is told, in the manner of the contract: ``started_by_user``."""
    if known is None:
        return "first_report"
    body = entry.body
    if isinstance(body, ControlChanged):
        verb = "restarted" if body.control is Control.RUN and old is agent.status else _VERBS[body.control]
        return f"{verb}_by_rule" if body.by == CORE.user else f"{verb}_by_user"
    if agent.is_silent is not known.is_silent:
        return "no_sign_of_life" if agent.is_silent else "sign_of_life"
    if isinstance(body, CommandChanged):
        return f"{body.command.type}_{body.command.state}"
    if isinstance(body, Event) and body.type is EventType.ERROR:
        return "error_reported"
    return "reported_by_agent"
