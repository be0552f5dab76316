"""Gemini CLI by its telemetry."""

from __future__ import annotations

from typing import Any

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch.ports import Connection, Contribution
from clawatch_plugins.gemini.connecting import CONNECTION
from clawatch_plugins.gemini.source import SessionsSettings, open_sessions
from clawatch_plugins.gemini.vocabulary import Gemini


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [Gemini()]


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    return [Contribution("gemini", SessionsSettings, open_sessions)]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
