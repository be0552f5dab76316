"""Alerts, and what mutes them."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Handler, Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.alerts import Alert, AlertState, Severity
from clawatch.ports import AlertFilter, Core
from clawatch_plugins.clawatch.asking import (
    AGENT_ID,
    CURSOR,
    LIMIT,
    checked_texts,
    duration_in,
    known_word,
    number_of,
    text_of,
    word_of,
)
from clawatch_plugins.clawatch.views import alert_view, silence_view
from clawatch_plugins.clawatch.wire import (
    AlertDone,
    AlertList,
    AlertView,
    Done,
    SilenceAlert,
    SilenceList,
    SilenceView,
    SilenceWanted,
)

CAP = 100
"""Seed CW-45."""
STATES = (AlertState.FIRING, AlertState.RESOLVED)


class Alerts:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        one = "/api/alerts/{id}"
        state = Param("state", "query", Literal["firing", "resolved"], "firing or resolved")
        return (
            Route(
                "GET", "/api/alerts", self.list, Scope.READ, "Alerts, newest first", gives=AlertList,
                params=(state, AGENT_ID, CURSOR, LIMIT),
            ),
            Route("GET", one, self.detail, Scope.READ, "One alert with its evidence", gives=AlertView),
            Route(
                "POST", f"{one}/acknowledge", self._acknowledge(True), Scope.CONTROL, "Acknowledge an alert",
                gives=AlertDone,
            ),
            Route(
                "POST", f"{one}/unacknowledge", self._acknowledge(False), Scope.CONTROL,
                "Take an acknowledgement back", gives=AlertDone,
            ),
            Route(
                "POST", f"{one}/silence", self.silence, Scope.CONTROL, "Silence an alert for a while",
                takes=SilenceAlert, gives=SilenceView, status=201,
            ),
            Route("GET", "/api/silences", self.silences, Scope.READ, "Silences in force", gives=SilenceList),
            Route(
                "POST", "/api/silences", self.add_silence, Scope.CONTROL, "Silence what matches for a while",
                takes=SilenceWanted, gives=SilenceView, status=201,
            ),
            Route("DELETE", "/api/silences/{id}", self.unsilence, Scope.CONTROL, "End a silence", gives=Done),
        )

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        where = AlertFilter(agent_id=text_of(request, "agentId"), state=word_of(request, "state", STATES))
        limit = number_of(request, "limit", CAP, CAP)
        page = await self._core.queries.alerts(principal, where, text_of(request, "cursor"), limit)
        return reply(AlertList(alerts=tuple(self._view(one, False) for one in page.items), next=page.next))

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        return reply(self._view(await self._core.queries.alert(request.match_info["id"], principal)))

    def _acknowledge(self, acknowledged: bool) -> Handler:
        async def acknowledge(request: web.Request, principal: Principal) -> web.Response:
            alert = await self._core.commands.acknowledge(request.match_info["id"], principal, acknowledged)
            return reply(AlertDone(ok=True, alert=self._view(alert)))

        return acknowledge

    async def silence(self, request: web.Request, principal: Principal) -> web.Response:
        wanted = await read_json(request, SilenceAlert)
        checked_texts([("reason", wanted.reason)])
        duration = duration_in("duration", wanted.duration)
        silence = await self._core.commands.silence(
            principal, duration, wanted.reason, alert_id=request.match_info["id"]
        )
        return reply(silence_view(silence), 201)

    async def silences(self, request: web.Request, principal: Principal) -> web.Response:
        silences = await self._core.queries.silences(principal)
        return reply(SilenceList(silences=tuple(silence_view(silence) for silence in silences)))

    async def add_silence(self, request: web.Request, principal: Principal) -> web.Response:
        wanted = await read_json(request, SilenceWanted)
        checked_texts([("reason", wanted.reason), ("agent", wanted.agent), ("rule", wanted.rule)])
        silence = await self._core.commands.silence(
            principal,
            duration_in("duration", wanted.duration),
            wanted.reason,
            alert_id=wanted.alert_id or None,
            agent=wanted.agent or "*",
            rule=wanted.rule,
            severity=known_word("severity", wanted.severity, Severity) if wanted.severity else "",
        )
        return reply(silence_view(silence), 201)

    async def unsilence(self, request: web.Request, principal: Principal) -> web.Response:
        await self._core.commands.unsilence(request.match_info["id"], principal)
        return reply(Done())

    def _view(self, alert: Alert, with_evidence: bool = True) -> AlertView:
        return alert_view(alert, self._core.queries.silenced_until(alert), with_evidence)
