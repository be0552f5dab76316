"""Gemini CLI by its telemetry."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.gemini.vocabulary import Gemini


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [Gemini()]
