"""The door: one route, in the text format the scraper asks for."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.ports import Core


class Door:
    def __init__(self, core: Core) -> None:
        self._core = core

    def api(self) -> Api:
        summary = "Figures about the daemon itself, in Prometheus' text format"
        return Api((Route("GET", "/metrics", self.metrics, Scope.READ, summary),), clawatch_envelope, ("/metrics",))

    async def metrics(self, request: web.Request, principal: Principal) -> web.Response:
        """OpenMetrics where the scraper prefers it. Totals over the fleet only: no agent is named."""
        from prometheus_client.exposition import choose_encoder

        from clawatch_plugins.metrics.collecting import registry_of

        registry = registry_of(await self._core.metrics.gather())
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})
