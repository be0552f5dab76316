"""``GET /metrics``: the daemon's figures about itself, for Prometheus and what understands its format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawatch.apis.routes import Api
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Core
from clawatch.settings import Settings


class MetricsSettings(Settings):
    """There is nothing to set."""


@asynccontextmanager
async def open_metrics(settings: MetricsSettings, core: Core) -> AsyncIterator[Api]:
    from clawatch_plugins.metrics.door import Door

    yield Door(core).api()


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution("metrics", MetricsSettings, open_metrics)]
