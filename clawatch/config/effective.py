"""The configuration as the daemon uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clawatch.apis.routes import Api
from clawatch.config.models import (
    AuthSettings,
    LimitSettings,
    PluginSettings,
    Price,
    RetentionSettings,
    RouteSettings,
    ServerSettings,
)
from clawatch.config.overrides import RuleBook
from clawatch.config.parts import Part
from clawatch.config.secrets import secrets_in
from clawatch.domain.redaction import Redactor
from clawatch.ports import Contribution, Controller, Enricher, Notifier, RuleType, StoreType


@dataclass(frozen=True)
class Config:
    """A configuration without mistakes. Parts stand in the order in which they are to be opened and asked."""

    server: ServerSettings
    data_dir: Path
    timezone: ZoneInfo
    auth: AuthSettings
    storage: Part[StoreType]
    retention: RetentionSettings
    limits: LimitSettings
    prices: Mapping[str, Price]
    redact: tuple[re.Pattern[str], ...]
    rules: tuple[Part[RuleType], ...]
    sources: tuple[Part[Contribution[Any]], ...]
    notifiers: tuple[Part[Contribution[Notifier]], ...]
    routes: tuple[RouteSettings, ...]
    apis: tuple[Part[Contribution[Api]], ...]
    controllers: tuple[Part[Contribution[Controller]], ...]
    enrichers: tuple[Part[Contribution[Enricher]], ...]
    plugins: PluginSettings
    rule_book: RuleBook
    left_out: tuple[str, ...] = ()
    """What is named but lacks something, in words."""

    @property
    def redactor(self) -> Redactor:
        """Knows the operator's patterns, and every secret that stands here."""
        parts = (*self.sources, *self.notifiers, *self.apis, *self.controllers, *self.enrichers)
        settings = (*self.auth.keys, *(part.settings for part in parts))
        return Redactor(self.redact, {secret for one in settings for secret in secrets_in(one)})

    def rule_settings(self, rule: str, agent_id: str, group: str = "") -> Any:
        """The rule's settings with this agent's overrides. Quick: it is asked for every event and rule."""
        return self.rule_book.settings(rule, agent_id, group)


FIXED = ("server", "data_dir", "storage")
"""What is settled when the daemon starts."""


def reloadable(old: Config, new: Config) -> list[str]:
    """The keys that changed and only take effect after a restart; empty when all of it can be taken over."""
    return [key for key in FIXED if getattr(old, key) != getattr(new, key)]


def keep_fixed(old: Config, new: Config) -> Config:
    """The new configuration, but for what only a restart can change."""
    return replace(new, **{key: getattr(old, key) for key in FIXED})
