"""What a button carries: an action and an alert, signed for one chat."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum

MAX_DATA = 64
"""Bytes of callback data that the Bot API takes."""
_MAC_BYTES = 8


class Action(StrEnum):
    """One letter each: space is short."""

    PAUSE = "p"
    RESUME = "r"
    START = "s"
    ACKNOWLEDGE = "a"
    UNACKNOWLEDGE = "u"
    SILENCE = "m"


class Signer:
    """Signs and reads callback data. The key comes from the bot's token, so it lives as long as the bot."""

    def __init__(self, token: str) -> None:
        self._key = hmac.new(token.encode(), b"clawatch telegram callbacks", hashlib.sha256).digest()

    def sign(self, action: Action, alert_id: str, chat: int) -> str | None:
        """``<action>:<alert id>:<8 bytes of HMAC over both and the chat>``; None when that is too long to send."""
        data = f"{action}:{alert_id}:{self._mac(action, alert_id, chat)}"
        return data if len(data.encode("utf-8", "surrogatepass")) <= MAX_DATA else None

    def read(self, data: str, chat: int) -> tuple[Action, str] | None:
        """Action and alert id; None for anything we did not sign for this chat."""
        action, _, rest = data.partition(":")
        alert_id, _, mac = rest.rpartition(":")
        if action not in list(Action):
            return None
        expected = self._mac(Action(action), alert_id, chat)
        if not hmac.compare_digest(mac.encode("utf-8", "surrogatepass"), expected.encode()):
            return None
        return Action(action), alert_id

    def _mac(self, action: Action, alert_id: str, chat: int) -> str:
        said = f"{action}\0{alert_id}\0{chat}".encode("utf-8", "surrogatepass")
        mac = hmac.new(self._key, said, hashlib.sha256).digest()[:_MAC_BYTES]
        return urlsafe_b64encode(mac).decode().rstrip("=")
