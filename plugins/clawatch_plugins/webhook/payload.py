"""The body of a webhook: ``{"type", "timestamp", "data"}``, as the Standard Webhooks specification proposes."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Mark
from clawatch.domain.commands import Command, in_words
from clawatch.domain.deliveries import Notification
from clawatch.domain.money import usd
from clawatch.domain.time import Millis, iso


class AlertBody(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    agent_id: str
    rule: str
    type: str
    severity: str
    subject: str
    message: str
    state: str
    timestamp: str
    resolved_at: str | None
    acknowledged: bool
    acknowledged_by: str | None
    silenced_until: str | None
    evidence: dict[str, Any]


class AgentBody(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    name: str
    host: str
    status: str
    cost_usd: float
    token_count: int
    error_count: int


class CommandBody(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    type: str
    state: str
    words: str
    requested_by: str
    message: str


class Data(Struct, frozen=True, kw_only=True, rename="camel"):
    reason: str
    severity: str
    text: str
    alert: AlertBody | None
    agent: AgentBody | None
    command: CommandBody | None


class Body(Struct, frozen=True, kw_only=True):
    type: str
    """``alert.fired``, ``alert.resolved`` …; ``notice``, ``summary`` and ``test`` stand alone."""
    timestamp: str
    """When it came about."""
    data: Data


def encode(notification: Notification) -> bytes:
    """The body. What an agent put into strings or evidence that JSON cannot carry is replaced, never refused."""
    return msgspec.json.encode(_sendable(msgspec.to_builtins(_body(notification), str_keys=True)))


def _sendable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_sendable(key): _sendable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_sendable(inner) for inner in value]
        case _:
            return value


def _body(notification: Notification) -> Body:
    alert, agent, command = notification.alert, notification.agent, notification.command
    return Body(
        type=f"alert.{notification.reason}" if alert else str(notification.reason),
        timestamp=iso(notification.at),
        data=Data(
            reason=notification.reason,
            severity=notification.severity,
            text=notification.text,
            alert=None if alert is None else _alert(alert, notification.silenced_until),
            agent=None if agent is None else _agent(agent),
            command=None if command is None else _command(command),
        ),
    )


def _alert(alert: Alert, silenced_until: Millis | None) -> AlertBody:
    return AlertBody(
        id=alert.id,
        agent_id=alert.agent_id,
        rule=alert.rule,
        type=alert.type,
        severity=alert.severity,
        subject=alert.subject,
        message=alert.message,
        state=alert.state,
        timestamp=iso(alert.fired_at or alert.started_at),
        resolved_at=_iso(alert.resolved_at),
        acknowledged=alert.acknowledged is not None,
        acknowledged_by=_by(alert.acknowledged),
        silenced_until=_iso(silenced_until),
        evidence=alert.evidence,
    )


def _iso(instant: Millis | None) -> str | None:
    return iso(instant) if instant else None


def _by(mark: Mark | None) -> str | None:
    return None if mark is None else mark.by


def _agent(agent: Agent) -> AgentBody:
    return AgentBody(
        id=agent.id,
        name=agent.name,
        host=agent.host,
        status=agent.status,
        cost_usd=usd(agent.cost),
        token_count=agent.tokens,
        error_count=agent.error_count,
    )


def _command(command: Command) -> CommandBody:
    return CommandBody(
        id=command.id,
        type=command.type,
        state=command.state,
        words=in_words(command),
        requested_by=command.requested_by,
        message=command.message,
    )
