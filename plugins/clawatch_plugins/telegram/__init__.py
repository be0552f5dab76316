"""Telegram: one message per alert, edited as its life goes on, with buttons that act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core, Notifier
from clawatch_plugins.telegram.settings import TelegramSettings


@asynccontextmanager
async def open_telegram(settings: TelegramSettings, core: Core) -> AsyncIterator[Notifier]:
    """The notifier; connects in the background, so an unreachable API does not hinder the start."""
    from clawatch_plugins.telegram.notifier import Unconfigured, running

    if not settings.is_configured:
        yield Unconfigured()
        return
    async with running(settings, core) as notifier:
        yield notifier


@hookimpl
def register_notifiers() -> list[Contribution[Notifier]]:
    return [Contribution("telegram", TelegramSettings, open_telegram)]
