"""OpenTelemetry's GenAI semantic conventions: pydantic-ai, the instrumentations of OpenTelemetry itself, and whoever
else writes ``gen_ai.*``."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.genai.vocabulary import GenAi


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [GenAi()]
