"""OpenInference: the conventions of Arize's instrumentations for LangChain, openai-agents, smolagents and others."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.openinference.vocabulary import OpenInference


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [OpenInference()]
