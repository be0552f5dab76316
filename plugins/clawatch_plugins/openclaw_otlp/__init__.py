"""OpenClaw by its OpenTelemetry plugin (diagnostics-otel), where nothing but pushing is possible."""

from __future__ import annotations

from clawatch.hookspecs import Vocabulary, hookimpl
from clawatch_plugins.openclaw_otlp.vocabulary import OpenClawOtlp


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [OpenClawOtlp()]
