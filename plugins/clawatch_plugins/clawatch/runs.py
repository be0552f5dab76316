"""Runs: bounded pieces of work."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.runs import RunStatus
from clawatch.ports import Core
from clawatch_plugins.clawatch.asking import AGENT_ID, CURSOR, LIMIT, MAX_LIMIT, number_of, text_of, words_of
from clawatch_plugins.clawatch.views import run_view
from clawatch_plugins.clawatch.wire import RunList, RunView

_KIND = Param("kind", "query", str, "of this kind only")
_STATUS = Param("status", "query", str, "only these, with commas: " + ", ".join(RunStatus))


class Runs:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                "GET", "/api/runs", self.list, Scope.READ, "Runs, newest first", gives=RunList,
                params=(AGENT_ID, _KIND, _STATUS, CURSOR, LIMIT),
            ),
            Route(
                "GET", "/api/runs/{id}", self.detail, Scope.READ,
                "One run: the newest of this id, where several agents use it", gives=RunView, params=(AGENT_ID,),
            ),
        )

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        limit = number_of(request, "limit", 100, MAX_LIMIT)
        page = await self._core.queries.runs(
            principal, text_of(request, "cursor"), limit, text_of(request, "agentId"),
            kind=text_of(request, "kind"), statuses=words_of(request, "status", RunStatus),
        )  # fmt: skip
        return reply(RunList(runs=tuple(run_view(run) for run in page.items), next=page.next))

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        run_id, agent_id = request.match_info["id"], text_of(request, "agentId")
        return reply(run_view(await self._core.queries.run(run_id, principal, agent_id)))
