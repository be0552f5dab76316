"""The daemon itself, and its keys."""

from __future__ import annotations

from clawatch_plugins.clawatch.wire.base import Wire


class KeyView(Wire):
    name: str
    scopes: tuple[str, ...]
    agents: tuple[str, ...]
    user: str
    created_at: str | None
    expires_at: str | None
    fixed: bool
    """Comes from the configuration."""


class KeyList(Wire):
    keys: tuple[KeyView, ...]


class KeyWanted(Wire):
    """The body of a new key."""

    name: str
    scopes: list[str]
    agents: list[str] | None = None
    user: str = ""
    expires: str | None = None
    """A duration: ``30d``."""


class KeyMade(Wire):
    name: str
    key: str
    """Shown this once."""


class StoreView(Wire):
    ok: bool
    detail: str
    size_bytes: int


class PartView(Wire):
    section: str
    name: str
    state: str
    detail: str


class SystemView(Wire):
    status: str
    version: str
    started_at: str
    timestamp: str
    store: StoreView
    outbox: int
    journal_head: int
    rules_behind: int
    cursor: str
    agents: int
    parts: tuple[PartView, ...]
