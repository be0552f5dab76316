"""The notifier: one message per alert and chat, edited as the alert's life goes on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from structlog.typing import FilteringBoundLogger

from clawatch.domain.alerts import Reason
from clawatch.domain.deliveries import Delivered, Notification, Outcome, RetryLater, Undeliverable
from clawatch.ports import Core
from clawatch_plugins.telegram.bot import Redaction, is_general, judge, open_bot
from clawatch_plugins.telegram.callbacks import Signer
from clawatch_plugins.telegram.chat import Chat
from clawatch_plugins.telegram.guard import Guard
from clawatch_plugins.telegram.keyboard import Keyboards
from clawatch_plugins.telegram.presses import Presses
from clawatch_plugins.telegram.sending import Courier
from clawatch_plugins.telegram.settings import TelegramSettings
from clawatch_plugins.telegram.updates import BACKOFF, Updates

_EDITS = frozenset({Reason.UPDATED, Reason.RESOLVED})
_RINGS_AGAIN = frozenset({Reason.RAISED, Reason.REPEATED, Reason.UNSILENCED})
_MAX_UNFINISHED = 1_000

Messages = tuple[int, ...]
"""The alert's messages in one chat that are kept up to date: the first, and the newest when there is another."""
Refs = dict[int, Messages]
"""By chat; as JSON it is the ``ref`` of a thread."""


class Unconfigured:
    """Stands in for a bot without a token or a chat."""

    async def deliver(self, notification: Notification) -> Outcome:
        return Undeliverable("no bot_token or no chats are configured")


@asynccontextmanager
async def running(
    settings: TelegramSettings, core: Core, backoff: Sequence[float] = BACKOFF
) -> AsyncIterator[Telegram]:
    """The notifier with its bot, which listens for presses and commands in the background."""
    token = settings.bot_token.get_secret_value()
    redaction = Redaction(token)
    async with open_bot(settings, redaction) as bot:
        signer = Signer(token)
        courier = Courier(bot, Keyboards(signer), core.access, core.log)
        guard = Guard(settings, courier.current, core.log)
        presses = Presses(bot, courier, signer, guard, core)
        updates = Updates(bot, presses, Chat(courier, guard, core), core.log, redaction.hide, backoff)
        listening = asyncio.create_task(updates.run(), name="telegram updates")
        try:
            yield Telegram(settings.chats, courier, core.log, redaction)
        finally:
            listening.cancel()
            await asyncio.wait([listening])


class Telegram:
    """Delivers to every chat. A retry goes to those that still lack it only, as long as this process lives."""

    def __init__(
        self, chats: Sequence[int], courier: Courier, log: FilteringBoundLogger, redaction: Redaction
    ) -> None:
        self._chats = tuple(dict.fromkeys(chats))
        self._courier = courier
        self._log = log
        self._redaction = redaction
        self._unfinished: OrderedDict[str, dict[int, Messages | Undeliverable]] = OrderedDict()

    async def deliver(self, notification: Notification) -> Outcome:
        """See ``ports.Notifier``."""
        async with self._courier.thread(notification.thread):
            done = self._unfinished.setdefault(notification.id, {})  # stays there should we be cancelled
            retry = await self._tell_all(notification, done)
            if retry is None:
                del self._unfinished[notification.id]
        self._forget_oldest()
        return retry or _outcome(notification, done)

    async def _tell_all(
        self, notification: Notification, done: dict[int, Messages | Undeliverable]
    ) -> RetryLater | None:
        """Tell the chats not yet in ``done``, and put them there; what to wait for when some have to be tried again."""
        refs = read_ref(notification.ref)
        retries: list[RetryLater] = []
        for chat in self._chats:
            before = done.get(chat)
            if before is not None and notification.reason is not Reason.SUMMARY:  # a summary may have grown since
                continue
            try:
                done[chat] = await self._tell(chat, notification, _messages(before) or refs.get(chat, ()))
            except Exception as error:  # whatever it is, an alert must not be lost for it
                outcome = self._judge(chat, error)
                if isinstance(outcome, Undeliverable):
                    done[chat] = outcome
                    continue
                retries.append(outcome)
                if is_general(error):
                    break
        return _longest(retries)

    def _judge(self, chat: int, error: Exception) -> RetryLater | Undeliverable:
        outcome = judge(error)
        why = self._redaction.hide(outcome.why)
        if isinstance(outcome, RetryLater):
            return RetryLater(why, outcome.after)
        self._log.warning("telegram.chat_refused", chat=chat, why=why)
        return Undeliverable(why)

    async def _tell(self, chat: int, notification: Notification, messages: Messages) -> Messages:
        """The messages this chat has afterwards."""
        rings = notification.reason in _RINGS_AGAIN and not notification.is_quiet
        if messages and not rings:
            return await self._edit(chat, notification, messages)
        if notification.is_quiet or (notification.reason in _EDITS):
            return ()
        newest = await self._courier.send(chat, notification)
        for older in messages:
            await self._touch_up(chat, older, notification)
        return (*messages[:1], newest)

    async def _edit(self, chat: int, notification: Notification, messages: Messages) -> Messages:
        kept = [m for m in messages if await self._courier.edit(chat, m, notification)]
        if messages[-1] not in kept and not notification.is_quiet:
            kept = [*kept[:1], await self._courier.send(chat, notification)]
        return tuple(kept)

    async def _touch_up(self, chat: int, message: int, notification: Notification) -> None:
        """Show the news in an older message too; when that fails the new message has said it already."""
        try:
            await self._courier.edit(chat, message, notification)
        except Exception as error:
            self._log.debug("telegram.not_edited", chat=chat, why=self._redaction.hide(str(error)))

    def _forget_oldest(self) -> None:
        while len(self._unfinished) > _MAX_UNFINISHED:
            self._unfinished.popitem(last=False)


def _outcome(notification: Notification, done: dict[int, Messages | Undeliverable]) -> Outcome:
    refused = [outcome.why for outcome in done.values() if isinstance(outcome, Undeliverable)]
    if refused and len(refused) == len(done):
        return Undeliverable("; ".join(dict.fromkeys(refused)))
    told = {chat: ids for chat, ids in done.items() if not isinstance(ids, Undeliverable)}
    refs = {chat: ids for chat, ids in {**read_ref(notification.ref), **told}.items() if ids}
    return Delivered(msgspec.json.encode(refs).decode() if refs or notification.ref else None)


def _messages(told: Messages | Undeliverable | None) -> Messages:
    return told if isinstance(told, tuple) else ()


def _longest(retries: Sequence[RetryLater]) -> RetryLater | None:
    """The retry that asks for most patience."""
    return max(retries, key=lambda retry: retry.after or 0, default=None)


def read_ref(ref: str | None) -> Refs:
    """The message ids by chat; empty for a ref that is none of ours."""
    try:
        return {} if ref is None else msgspec.json.decode(ref, type=Refs)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}
