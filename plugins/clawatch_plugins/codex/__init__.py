"""Codex CLI by its telemetry: logs first, and the one span in a hundred that tells something."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.codex.vocabulary import Codex


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [Codex()]
