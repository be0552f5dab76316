"""The daemon about itself: its state, its notifiers, and the document of its interface."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from clawatch.apis.envelopes import Refused, reply
from clawatch.apis.openapi import APIS
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.deliveries import Delivered, RetryLater
from clawatch.domain.time import iso
from clawatch.ports import Core
from clawatch_plugins.clawatch.wire import Done, PartView, StoreView, SystemView


class System:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._document: bytes | None = None

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/api/system", self.system, Scope.READ, "The daemon's own state", gives=SystemView),
            Route(
                "POST", "/api/notifiers/{name}/test", self.test_notifier, Scope.ADMIN, "Send a test message",
                gives=Done,
            ),
            Route("GET", "/api/openapi.json", self.openapi, Scope.READ, "This document: all doors, each under its tag"),
        )

    async def system(self, request: web.Request, principal: Principal) -> web.Response:
        report = await self._core.queries.system()
        view = SystemView(
            status=report.status,
            version=report.version,
            started_at=iso(report.started_at),
            timestamp=iso(self._core.clock.now().wall),
            store=StoreView(ok=report.store.ok, detail=report.store.detail, size_bytes=report.store.size_bytes),
            outbox=report.outbox,
            journal_head=report.journal_head,
            rules_behind=report.rules_behind,
            cursor=self._core.queries.cursor(),
            agents=len(self._core.queries.agents(principal)),
            parts=tuple(
                PartView(section=part.section, name=part.name, state=part.state, detail=part.detail)
                for part in report.parts
            ),
        )
        return reply(view)

    async def test_notifier(self, request: web.Request, principal: Principal) -> web.Response:
        name = request.match_info["name"]
        outcome = await self._core.commands.test_notifier(name, principal)
        if isinstance(outcome, Delivered):
            return reply(Done())
        if isinstance(outcome, RetryLater):
            raise Refused(503, f"the notifier {name!r} cannot deliver now: {outcome.why}", "retry_later")
        raise Refused(502, f"the notifier {name!r} cannot deliver: {outcome.why}", "undeliverable")

    async def openapi(self, request: web.Request, principal: Principal) -> web.Response:
        if self._document is None:
            self._document = await self._made_document(request.app[APIS])
        return web.Response(body=self._document, content_type="application/json", charset="utf-8")

    async def _made_document(self, apis: Sequence[tuple[str, Api]]) -> bytes:
        import msgspec

        from clawatch.apis.openapi import document

        report = await self._core.queries.system()
        return msgspec.json.encode(document(apis, report.version))
