"""Listening: long polling that outlives an unreachable API, a revoked token and odd updates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from structlog.typing import FilteringBoundLogger
from telegram import Bot, BotCommand, Update

from clawatch.domain.deliveries import RetryLater
from clawatch.domain.time import SECOND
from clawatch_plugins.telegram.bot import REVOKED, Refusal, judge
from clawatch_plugins.telegram.chat import COMMANDS, Chat
from clawatch_plugins.telegram.presses import Presses

LONG_POLL = 30
"""Seconds that the API may hold a request for updates."""
BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between tries; the last one from then on."""
_ALLOWED = [Update.MESSAGE, Update.CALLBACK_QUERY]


class Updates:
    """Fetches updates and hands them on, one after the other: a later press must not overtake an earlier one."""

    def __init__(
        self, bot: Bot, presses: Presses, chat: Chat, log: FilteringBoundLogger, hide: Callable[[str], str],
        backoff: Sequence[float],
    ) -> None:
        self._bot = bot
        self._presses = presses
        self._chat = chat
        self._log = log
        self._hide = hide
        self._backoff = backoff
        self._offset: int | None = None
        self._failures = 0
        self._told = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._connect()
                while True:
                    await self._poll()
            except Exception as error:  # the loop is the only ear there is
                self._note(error)
                await asyncio.sleep(self._wait(error))

    async def _connect(self) -> None:
        me = await self._bot.get_me()
        self._chat.username = me.username or ""
        await self._bot.delete_webhook()
        await self._bot.set_my_commands([BotCommand(name, words) for name, words in COMMANDS.items()])

    async def _poll(self) -> None:
        updates = await self._bot.get_updates(self._offset, timeout=LONG_POLL, allowed_updates=_ALLOWED)
        self._connected()
        for update in updates:
            self._offset = update.update_id + 1
            await self._handle(update)

    async def _handle(self, update: Update) -> None:
        try:
            if update.callback_query is not None:
                await self._presses.handle(update.callback_query)
            elif update.message is not None:
                await self._chat.handle(update.message)
        except Exception as error:
            self._log.error("telegram.update_failed", error=type(error).__name__, why=self._hide(str(error))[:300])

    def _connected(self) -> None:
        if self._failures == 0 and self._told == "connected":
            return
        if self._told != "connected":
            self._log.info("telegram.connected", bot=self._chat.username)
        self._failures = 0
        self._told = "connected"

    def _note(self, error: Exception) -> None:
        """One line per kind of trouble and outage. A single failed poll is none yet: connections do break."""
        self._failures += 1
        kind, why = _kind(error)
        is_lasting = self._failures > 1 or kind == "token_refused" or not self._told
        if is_lasting and kind != self._told:
            self._told = kind
            self._log.warning(f"telegram.{kind}", why=self._hide(why))

    def _wait(self, error: Exception) -> float:
        wait = self._backoff[min(self._failures, len(self._backoff)) - 1]
        asked = error.retry_after if isinstance(error, Refusal) else None
        return max(wait, (asked or 0) / SECOND)


def _kind(error: Exception) -> tuple[str, str]:
    status = error.status if isinstance(error, Refusal) else None
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
        return "token_refused", REVOKED
    if status == HTTPStatus.CONFLICT:
        return "listened_elsewhere", "another process, or another notifier, fetches this bot's updates"
    outcome = judge(error)
    if isinstance(outcome, RetryLater):
        return "unreachable", outcome.why
    return "refused", outcome.why
