"""pi, which tells nothing by itself: its session files."""

from __future__ import annotations

from typing import Any

from clawatch.hookspecs import hookimpl
from clawatch.ports import Connection, Contribution
from clawatch_plugins.pi.connecting import CONNECTION
from clawatch_plugins.pi.source import SessionsSettings, open_sessions


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    return [Contribution("pi", SessionsSettings, open_sessions)]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
