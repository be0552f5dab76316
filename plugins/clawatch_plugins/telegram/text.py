"""What a notification says, in Telegram's HTML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from clawatch.domain.alerts import Alert, AlertState, Mark, Reason, Severity
from clawatch.domain.commands import Command, in_words
from clawatch.domain.deliveries import Notification
from clawatch.domain.time import MINUTE, Millis, say_duration
from clawatch_plugins.telegram.escaping import code, escape, prose

LIMIT = 4096
"""Of a message, by the Bot API. The rooms below add up to less, markup included."""
_NAME, _ID, _MESSAGE, _WHO, _WHY = 120, 400, 1500, 80, 300
_NOTICE = 3000

ICONS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_ADDS = {
    Reason.RAISED: ", raised to {}",
    Reason.REPEATED: ", still firing",
    Reason.UNSILENCED: ", still firing after its silence",
}


def render(notification: Notification) -> str:
    """The whole message, always under the limit."""
    alert = notification.alert
    lines = _notice(notification) if alert is None else _alert(notification, alert)
    return "\n".join(lines)


def _alert(notification: Notification, alert: Alert) -> Iterator[str]:
    yield _headline(notification, alert)
    yield f"<b>Type:</b> {escape(alert.type, _WHO)}"
    yield f"<b>Severity:</b> {escape(alert.severity, _WHO)}"
    yield _agent(notification, alert.agent_id)
    yield ""
    yield prose(alert.message, _MESSAGE)
    yield ""
    yield from _life(notification, alert)


def _headline(notification: Notification, alert: Alert) -> str:
    if alert.state is AlertState.RESOLVED:
        return "✅ <b>ClaWatch Alert</b> resolved"
    adds = _ADDS.get(notification.reason, "").format(alert.severity)
    return f"{ICONS[alert.severity]} <b>ClaWatch Alert</b>{adds}"


def _agent(notification: Notification, agent_id: str) -> str:
    agent = notification.agent
    if agent is None or agent.name == agent_id:
        return f"<b>Agent:</b> {code(agent_id, _ID)}"
    return f"<b>Agent:</b> {code(agent.name, _NAME)} ({code(agent_id, _ID)})"


def _life(notification: Notification, alert: Alert) -> Iterator[str]:
    since = alert.fired_at or alert.started_at
    if alert.state is AlertState.RESOLVED:
        yield f"<b>Resolved</b> after {say_duration(alert.resolved_at - since)}, {when(alert.resolved_at)}"
    else:
        lasts = notification.now - since
        yield f"<b>Since:</b> {when(since)}" + (f", for {say_duration(lasts)}" if lasts >= MINUTE else "")
    if alert.acknowledged is not None:
        yield f"👤 <b>Acknowledged</b> by {marked(alert.acknowledged)}"
    if notification.silenced_until is not None and alert.state is not AlertState.RESOLVED:
        yield f"🔕 <b>Silenced</b> until {when(notification.silenced_until)}"
    yield from _control(notification.command, alert)


def _control(command: Command | None, alert: Alert) -> Iterator[str]:
    is_brake = command is not None and command.id == alert.brake
    if command is not None and _concerns(command, alert):
        yield f"⚙️ <b>{'Brake' if is_brake else 'Control'}:</b> {said_command(command)}"
    if alert.brake and not is_brake and " " in alert.brake:  # words: why the brake did not act; else a command's id
        yield f"⚙️ <b>Brake:</b> {prose(alert.brake, _WHY)}"


def _concerns(command: Command, alert: Alert) -> bool:
    """Whether the command belongs to this episode: one from before says nothing about it."""
    return command.alert_id == alert.id or command.changed_at >= alert.started_at


def said_command(command: Command) -> str:
    """Its true state in words, who asked, and what came back."""
    words = f"{in_words(command)} (by {prose(command.requested_by, _WHO)})"
    return f"{words}: {prose(command.message, _WHY)}" if command.message else words


def _notice(notification: Notification) -> Iterator[str]:
    icon = "🔔" if notification.reason is Reason.TEST else ICONS[notification.severity]
    yield f"{icon} <b>ClaWatch{' test' if notification.reason is Reason.TEST else ''}</b>"
    if notification.agent is not None:
        yield _agent(notification, notification.agent.id)
    yield ""
    yield prose(notification.text, _NOTICE, lines=True)


def marked(mark: Mark) -> str:
    return f"{prose(mark.by, _WHO)}, {when(mark.at)}"


def when(instant: Millis) -> str:
    """In UTC, to the minute: the phone that reads it may be anywhere."""
    return f"{datetime.fromtimestamp(instant / 1000, UTC):%Y-%m-%d %H:%M} UTC"
