"""Webhooks: every notification as a signed POST, by the Standard Webhooks specification."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core, Notifier
from clawatch_plugins.webhook.settings import WebhookSettings


@asynccontextmanager
async def open_webhook(settings: WebhookSettings, core: Core) -> AsyncIterator[Notifier]:
    """The notifier; it has nothing to open."""
    from clawatch_plugins.webhook.notifier import Webhook

    yield Webhook(settings, core)


@hookimpl
def register_notifiers() -> list[Contribution[Notifier]]:
    return [Contribution("webhook", WebhookSettings, open_webhook)]
