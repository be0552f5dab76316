"""OpenLLMetry: the conventions of Traceloop's instrumentations, before and after they took over ``gen_ai.*``."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.openllmetry.vocabulary import OpenLlmetry


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [OpenLlmetry()]
