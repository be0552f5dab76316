"""opencode: its spans, which are those of the AI SDK, and the metrics of its OpenTelemetry plugin."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch.ports import Connection
from clawatch_plugins.opencode.connecting import CONNECTION
from clawatch_plugins.opencode.vocabulary import OpenCode


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [OpenCode()]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
