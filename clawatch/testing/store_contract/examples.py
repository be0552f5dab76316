"""What the contract's tests store: small values with sensible defaults."""

from __future__ import annotations

from typing import Any

from clawatch.domain.alerts import Alert, AlertState, AlertType, Reason, Severity, fingerprint
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event, EventType, RunReport, Usage
from clawatch.domain.journal import AlertChanged, CommandChanged, Measures, RunChanged, Unit
from clawatch.domain.money import nanos
from clawatch.domain.runs import Run
from clawatch.domain.time import Millis, parse_iso
from clawatch.ports import Costs, StorePort

NOW = parse_iso("2026-03-09T14:00:00Z")
"""A full hour, so that minutes and hours are easy to reckon with."""


def event(agent: str = "a", at: Millis = NOW, type: EventType = EventType.HEARTBEAT, **fields: Any) -> Event:
    return Event(agent_id=agent, type=type, at=at, received_at=fields.pop("received_at", at), **fields)


def spend(agent: str = "a", at: Millis = NOW, usd: float = 1.0, model: str = "m", **fields: Any) -> Event:
    """A report of one dollar and ten tokens, unless said otherwise."""
    usage = Usage(model=model, cost=nanos(usd), input=7, output=3)
    return event(agent, at, EventType.COST, usage=usage, **fields)


def call(agent: str = "a", id: str = "c1", **fields: Any) -> Event:
    return event(agent, type=EventType.TOOL_CALL, call_id=id, **fields)


def run_event(agent: str = "a", run_id: str = "r", at: Millis = NOW, **report: Any) -> Event:
    return event(agent, at, EventType.RUN, run=RunReport(run_id=run_id, **report))


def run(id: str = "r", at: Millis = NOW, **fields: Any) -> Run:
    """One that somebody has asked for."""
    values: dict[str, Any] = {"agent_id": "", "created_at": at, "updated_at": at, "by": "ops"} | fields
    return Run(id=id, **values)


def runs_unit(*runs: Run) -> Unit:
    return Unit(edges=tuple(RunChanged(run=one) for one in runs))


def alert(id: str = "alert_1", agent: str = "a", state: AlertState = AlertState.FIRING, **fields: Any) -> Alert:
    values: dict[str, Any] = {
        "rule": "error_spike", "type": AlertType.ERROR, "severity": Severity.CRITICAL, "subject": "", "message": "!",
        "started_at": NOW, "fired_at": 0 if state is AlertState.PENDING else NOW, "version": 1,
    }  # fmt: skip
    values |= fields
    return Alert(
        id=id, agent_id=agent, state=state, fingerprint=fingerprint(values["rule"], agent, values["subject"]), **values
    )


def alerts_unit(*alerts: Alert, **fields: Any) -> Unit:
    return Unit(edges=tuple(AlertChanged(alert=one, reason=Reason.FIRED) for one in alerts), **fields)


def command(
    id: str = "cmd_1", agent: str = "a", state: CommandState = CommandState.REQUESTED, **fields: Any
) -> Command:
    values: dict[str, Any] = {
        "type": CommandType.PAUSE, "requested_at": NOW, "requested_by": "ops", "changed_at": NOW,
    } | fields  # fmt: skip
    return Command(id=id, agent_id=agent, state=state, **values)


def commands_unit(*commands: Command) -> Unit:
    return Unit(edges=tuple(CommandChanged(command=one) for one in commands))


def outgoing(id: str, thread: str = "t", notifier: str = "n", **fields: Any) -> Outgoing:
    values: dict[str, Any] = {"reason": Reason.FIRED, "created_at": NOW, "next_at": NOW} | fields
    return Outgoing(id=id, notifier=notifier, thread=thread, **values)


async def agent_named(store: StorePort, agent_id: str) -> Any:
    """The agent as stored; fails when there is none."""
    return next(agent for agent in await store.agents() if agent.id == agent_id)


def cost_of(costs: Costs) -> int:
    return sum(line.cost for line in costs.lines)


def tokens_of(costs: Costs) -> int:
    return sum(line.tokens for line in costs.lines)


async def sums(store: StorePort, agent_id: str, since: Millis = 0, until: Millis = NOW * 2) -> Measures:
    """All rollups of an agent, by the minute."""
    total = Measures()
    for point in await store.series(since - since % 60_000, until, 60_000, "agent", (agent_id,)):
        total += point.measures
    return total
