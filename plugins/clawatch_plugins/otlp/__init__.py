"""The OpenTelemetry door: OTLP over HTTP, for logs, metrics and traces."""

from __future__ import annotations

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution
from clawatch_plugins.otlp.door import open_otlp
from clawatch_plugins.otlp.settings import OtlpSettings


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution("otlp", OtlpSettings, open_otlp)]
