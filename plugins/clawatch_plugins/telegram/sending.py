"""Sending and editing one message in one chat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
from weakref import WeakValueDictionary

from msgspec import Struct
from structlog.typing import FilteringBoundLogger
from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.constants import ParseMode

from clawatch.domain.deliveries import Notification
from clawatch.ports import AccessPort
from clawatch_plugins.telegram.bot import Refusal
from clawatch_plugins.telegram.escaping import as_plain
from clawatch_plugins.telegram.keyboard import Keyboards
from clawatch_plugins.telegram.text import render

T = TypeVar("T")
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Draft(Struct, frozen=True):
    """One form of a message."""

    text: str
    parse_mode: str | None
    buttons: InlineKeyboardMarkup | None


class Courier:
    """Writes to chats. Raises what the Bot API or the network raises; ``bot.judge`` says what it means."""

    def __init__(self, bot: Bot, keyboards: Keyboards, access: AccessPort, log: FilteringBoundLogger) -> None:
        self._bot = bot
        self._keyboards = keyboards
        self._access = access
        self._log = log
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._moved: dict[int, int] = {}

    def thread(self, thread: str) -> asyncio.Lock:
        """Held from looking at an alert to having shown it, so that no older state is shown after a newer one."""
        return self._locks.setdefault(thread, asyncio.Lock())

    def current(self, chat: int) -> int:
        """The chat's id now: a group that became a supergroup has a new one."""
        return self._moved.get(chat, chat)

    async def send(self, chat: int, notification: Notification) -> int:
        """Send a new message; its id."""

        async def attempt(chat: int, draft: Draft) -> int:
            message = await self._bot.send_message(
                chat, draft.text, parse_mode=draft.parse_mode, reply_markup=draft.buttons,
                link_preview_options=_NO_PREVIEW,
            )
            return message.message_id

        return await self._following(chat, lambda current: self._formed(current, notification, attempt))

    async def edit(self, chat: int, message_id: int, notification: Notification) -> bool:
        """Show the notification in a message that is there; False when it is no longer."""

        async def attempt(chat: int, draft: Draft) -> bool:
            await self._bot.edit_message_text(
                draft.text, chat, message_id, parse_mode=draft.parse_mode, reply_markup=draft.buttons,
                link_preview_options=_NO_PREVIEW,
            )
            return True

        try:
            return await self._following(chat, lambda current: self._formed(current, notification, attempt))
        except Refusal as refusal:
            if refusal.is_unchanged:
                return True
            if refusal.is_gone:
                return False
            raise

    async def say(self, chat: int, text: str, topic: int | None = None) -> None:
        """Send words of ours (HTML) that are no notification; as plain text when the markup is refused."""
        try:
            await self._say(chat, text, ParseMode.HTML, topic)
        except Refusal as refusal:
            if not refusal.is_about_form:
                raise
            await self._say(chat, as_plain(text), None, topic)

    async def _say(self, chat: int, text: str, parse_mode: str | None, topic: int | None) -> None:
        await self._bot.send_message(
            chat, text, parse_mode=parse_mode, message_thread_id=topic, link_preview_options=_NO_PREVIEW
        )

    async def _following(self, chat: int, write: Callable[[int], Awaitable[T]]) -> T:
        try:
            return await write(self.current(chat))
        except Refusal as refusal:
            if refusal.moved_to is None:
                raise
            self._moved[chat] = refusal.moved_to
            self._log.warning("telegram.chat_moved", chat=chat, now=refusal.moved_to, todo="put the new id into chats")
            return await write(refusal.moved_to)

    async def _formed(
        self, chat: int, notification: Notification, attempt: Callable[[int, Draft], Awaitable[T]]
    ) -> T:
        *richer, plainest = self._drafts(chat, notification)
        for draft in richer:
            try:
                return await attempt(chat, draft)
            except Refusal as refusal:
                if not refusal.is_about_form:
                    raise
        return await attempt(chat, plainest)

    def _drafts(self, chat: int, notification: Notification) -> Iterator[Draft]:
        """From the richest form to the plainest: links are refused for hosts without a dot, markup by odd servers."""
        text = render(notification)
        yield Draft(text, ParseMode.HTML, self._keyboards.make(notification, chat, self._access.public_url))
        unlinked = self._keyboards.make(notification, chat, None)
        yield Draft(text, ParseMode.HTML, unlinked)
        yield Draft(as_plain(text), None, unlinked)
