"""From the domain's values to what this door says."""

from __future__ import annotations

from typing import Any

import msgspec

from clawatch.domain.access import Key
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command, ControlKind, in_words
from clawatch.domain.events import Event, EventType
from clawatch.domain.money import usd
from clawatch.domain.runs import Run
from clawatch.domain.time import Millis, iso
from clawatch.ports import Controlling
from clawatch_plugins.clawatch.wire import (
    AgentDetail,
    AgentView,
    AlertView,
    CommandBrief,
    CommandToDo,
    CommandView,
    ControlView,
    EventView,
    KeyView,
    RunView,
    SilenceView,
)
from clawatch_plugins.clawatch.words import WORD_OF

ENFORCEMENT = {
    ControlKind.NATIVE: "native",
    ControlKind.REABORT: "reabort",
    ControlKind.COOPERATIVE: "advisory",
    ControlKind.NONE: "none",
}
"""How far a pause is enforced, in one word for each kind of control."""


def iso_or_none(instant: Millis | None) -> str | None:
    """0 stands for "never" in the domain."""
    return iso(instant) if instant else None


def agent_view(agent: Agent, controlling: Controlling) -> AgentView:
    return AgentView(
        id=agent.id,
        name=agent.name,
        host=agent.host,
        status=WORD_OF[agent.status],
        last_heartbeat=iso(agent.last_heartbeat or agent.created_at),
        created_at=iso(agent.created_at),
        cost_usd=usd(agent.cost),
        token_count=agent.tokens,
        error_count=agent.error_count,
        kind=agent.kind,
        group=agent.group,
        labels=agent.labels,
        capabilities=agent.capabilities,
        owner=agent.owner,
        activity=agent.activity,
        last_seen=iso_or_none(agent.last_seen),
        last_progress=iso_or_none(agent.last_progress),
        turn=agent.turn,
        doing=agent.doing,
        tool_calls=agent.tool_calls,
        unpriced_tokens=agent.unpriced_tokens,
        control=ControlView(
            kind=controlling.kind,
            enforcement=ENFORCEMENT[controlling.kind],
            described=controlling.described,
            wanted=agent.control,
            command=None if controlling.command is None else command_brief(controlling.command),
        ),
    )


def agent_detail(view: AgentView, recent: tuple[EventView, ...]) -> AgentDetail:
    return AgentDetail(**{name: getattr(view, name) for name in AgentView.__struct_fields__}, recent_events=recent)


def event_view(seq: int, event: Event) -> EventView:
    return EventView(
        seq=seq,
        id=event.id,
        agent_id=event.agent_id,
        session_id=event.session_id,
        call_id=event.call_id,
        phase=event.phase,
        signal=event.signal,
        origin=event.origin,
        source=event.source,
        type=event.type,
        timestamp=iso(event.at),
        received_at=iso(event.received_at),
        turn=event.turn,
        data={**_measured(event), **event.data},
    )


def _measured(event: Event) -> dict[str, Any]:
    """What we know of an event under the contract's keys, whichever door it came in by."""
    known: dict[str, Any] = {}
    if event.tool is not None:
        known["toolName"] = event.tool.name
        if event.tool.ok is not None:
            known["ok"] = event.tool.ok
    usage = event.usage
    if usage is not None:
        known["tokenCount"] = usage.total
        if usage.cost is not None:
            known["costUsd"] = usd(usage.cost)
        if usage.model:
            known["model"] = usage.model
    if event.error is not None:
        known["error"] = event.error
    if event.latency_ms is not None:
        known["durationMs"] = event.latency_ms
    if event.activity is not None and event.type is EventType.STATUS_CHANGE:
        known["status"] = str(event.activity)
    if event.run is not None and "runId" not in event.data:
        known |= msgspec.to_builtins(event.run)
    return known


def command_brief(command: Command) -> CommandBrief:
    return CommandBrief(
        id=command.id,
        type=command.type,
        state=command.state,
        since=iso(command.changed_at),
        words=in_words(command),
    )


def command_to_do(command: Command) -> CommandToDo:
    return CommandToDo(
        id=command.id,
        type=command.type,
        parameters=command.parameters,
        requested_by=command.requested_by,
        requested_at=iso(command.requested_at),
        expires_at=iso_or_none(command.expires_at),
    )


def command_view(command: Command) -> CommandView:
    return CommandView(
        id=command.id,
        agent_id=command.agent_id,
        type=command.type,
        state=command.state,
        since=iso(command.changed_at),
        words=in_words(command),
        control_kind=command.control_kind,
        parameters=command.parameters,
        requested_by=command.requested_by,
        requested_at=iso(command.requested_at),
        delivered_at=iso_or_none(command.delivered_at),
        expires_at=iso_or_none(command.expires_at),
        message=command.message,
        data=command.data,
        alert_id=command.alert_id,
    )


def alert_view(alert: Alert, silenced_until: Millis | None, with_evidence: bool = True) -> AlertView:
    mark = alert.acknowledged
    return AlertView(
        id=alert.id,
        agent_id=alert.agent_id,
        type=alert.type,
        severity=alert.severity,
        message=alert.message,
        timestamp=iso(alert.fired_at or alert.started_at),
        acknowledged=mark is not None,
        state=alert.state,
        rule=alert.rule,
        subject=alert.subject,
        started_at=iso(alert.started_at),
        fired_at=iso_or_none(alert.fired_at),
        resolved_at=iso_or_none(alert.resolved_at),
        acknowledged_by=None if mark is None else mark.by,
        acknowledged_at=None if mark is None else iso(mark.at),
        silenced_until=iso_or_none(silenced_until),
        brake=alert.brake,
        evidence=alert.evidence if with_evidence else msgspec.UNSET,
    )


def silence_view(silence: Silence) -> SilenceView:
    return SilenceView(
        id=silence.id,
        agent=silence.agent,
        rule=silence.rule,
        severity=silence.severity,
        alert_id=silence.alert_id or None,
        reason=silence.reason,
        by=silence.by,
        created_at=iso(silence.created_at),
        expires_at=iso(silence.expires_at),
    )


def run_view(run: Run) -> RunView:
    return RunView(
        id=run.id,
        agent_id=run.agent_id,
        kind=run.kind,
        status=run.status,
        stage=run.stage,
        progress=run.progress,
        input=run.input,
        result=run.result,
        error=run.error,
        parent_run_id=run.parent,
        created_at=iso(run.created_at),
        updated_at=iso(run.updated_at),
        started_at=iso_or_none(run.started_at),
        ended_at=iso_or_none(run.ended_at),
        requested_by=run.by,
    )


def key_view(key: Key) -> KeyView:
    return KeyView(
        name=key.name,
        scopes=tuple(key.scopes),
        agents=key.agents,
        user=key.user,
        created_at=iso_or_none(key.created_at),
        expires_at=iso_or_none(key.expires_at),
        fixed=key.is_fixed,
    )
