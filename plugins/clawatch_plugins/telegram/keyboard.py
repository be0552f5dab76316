"""The buttons under a message."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from clawatch.domain.agents import Control
from clawatch.domain.alerts import Alert, AlertState
from clawatch.domain.deliveries import Notification
from clawatch_plugins.telegram.callbacks import Action, Signer

_STEERS = {
    Control.RUN: (Action.PAUSE, "⏸ Pause"),
    Control.PAUSED: (Action.RESUME, "▶️ Resume"),
    Control.STOPPED: (Action.START, "▶️ Start"),
}
Row = list[InlineKeyboardButton]


class Keyboards:
    """Makes the keyboards of one bot."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def make(self, notification: Notification, chat: int, public_url: str | None) -> InlineKeyboardMarkup | None:
        """The buttons for one chat; without links when ``public_url`` is None. None: no buttons at all."""
        rows = self._acts(notification, chat)
        if public_url is not None:
            rows.append(_links(notification, linkable(public_url)))
        rows = [row for row in rows if row]
        return InlineKeyboardMarkup(rows) if rows else None

    def _acts(self, notification: Notification, chat: int) -> list[Row]:
        alert = notification.alert
        if alert is None or alert.state is AlertState.RESOLVED:
            return []
        steer = [] if notification.agent is None else self._button(alert, chat, *_STEERS[notification.agent.control])
        if alert.acknowledged is None:
            mark = self._button(alert, chat, Action.ACKNOWLEDGE, "✔️ Acknowledge")
        else:
            mark = self._button(alert, chat, Action.UNACKNOWLEDGE, "Unacknowledge")
        return [steer, mark + self._button(alert, chat, Action.SILENCE, "🔕 Silence 1h")]

    def _button(self, alert: Alert, chat: int, action: Action, label: str) -> Row:
        data = self._signer.sign(action, alert.id, chat)
        return [] if data is None else [InlineKeyboardButton(label, callback_data=data)]


def _links(notification: Notification, base: str) -> Row:
    alert, agent = notification.alert, notification.agent
    if alert is None:
        link = InlineKeyboardButton("View Alerts", url=f"{base}/alerts")
    else:
        link = InlineKeyboardButton("Open", url=f"{base}/alerts/{quote(alert.id, safe='')}")
    if agent is None or (alert is not None and alert.state is AlertState.RESOLVED):
        return [link]
    return [link, InlineKeyboardButton("View Agent", url=f"{base}/agents/{quote(agent.id, safe='', errors='replace')}")]


def linkable(url: str) -> str:
    """The URL with ``localhost`` written as 127.0.0.1: Telegram refuses links to hosts without a dot."""
    parts = urlsplit(url)
    if parts.hostname != "localhost":
        return url.rstrip("/")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"127.0.0.1{port}")).rstrip("/")
