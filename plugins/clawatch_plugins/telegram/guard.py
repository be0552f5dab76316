"""Whose presses and commands count."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger
from telegram import Chat, User
from telegram.constants import ChatID, ChatType

from clawatch.domain.access import Principal, Scope
from clawatch_plugins.telegram.settings import TelegramSettings

_NOBODY = frozenset({ChatID.ANONYMOUS_ADMIN, ChatID.FAKE_CHANNEL, ChatID.SERVICE_CHAT})
"""Ids under which Telegram shows those who do not show themselves."""
_MAX_REMEMBERED = 1_000


class Guard:
    """Admits listed people in listed chats, and nobody else."""

    def __init__(
        self, settings: TelegramSettings, current: Callable[[int], int], log: FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._current = current
        self._log = log
        self._refused: OrderedDict[tuple[int, int], None] = OrderedDict()

    def objection(self, chat: Chat, user: User | None, sender: Chat | None = None) -> str | None:
        """Why this one may do nothing here; None when they may. ``sender``: the chat in whose name they speak."""
        if chat.id not in {self._current(listed) for listed in self._settings.chats}:
            return f"this chat ({chat.id}) is not listed in chats"
        if sender is not None or chat.type == ChatType.CHANNEL:
            return "nobody is recognisable behind a channel or an anonymous admin"
        if user is None or user.is_bot or user.id in _NOBODY:
            return "nobody is recognisable behind this"
        if user.id not in self._settings.operators:
            return f"your id ({user.id}) is not listed in users"
        return None

    def note(self, chat: Chat, user: User | None, why: str) -> bool:
        """Log a refusal; True the first time for this person and chat, so that strangers cannot fill the log."""
        key = (chat.id, user.id if user else 0)
        is_first = key not in self._refused
        self._refused[key] = None
        self._refused.move_to_end(key)
        if len(self._refused) > _MAX_REMEMBERED:
            self._refused.popitem(last=False)
        if is_first:
            self._log.warning("telegram.refused", chat=key[0], user=key[1], why=why)
        return is_first


def principal_of(user: User) -> Principal:
    """An admitted person, as the core sees them: may read and control every agent."""
    return Principal(
        name="telegram",
        user=f"telegram:{user.username or user.id}",
        scopes=frozenset({Scope.READ, Scope.CONTROL}),
        via="telegram",
    )
