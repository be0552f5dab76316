"""Codex CLI by its telemetry: logs first, and the one span in a hundred that tells something."""

from __future__ import annotations

from typing import Any

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch.ports import Connection, Contribution
from clawatch_plugins.codex.connecting import CONNECTION
from clawatch_plugins.codex.sessions import RolloutsSettings, open_rollouts
from clawatch_plugins.codex.vocabulary import Codex


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [Codex()]


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    return [Contribution("codex", RolloutsSettings, open_rollouts)]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
