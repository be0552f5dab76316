"""Agents: the list that dashboards poll, one in detail, and what is asked of it."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Handler, Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent, is_gone
from clawatch.domain.commands import CommandType
from clawatch.domain.events import Event
from clawatch.domain.time import DAY, Millis
from clawatch.ports import Core, EventFilter
from clawatch_plugins.clawatch.asking import flag_of, text_of, words_of
from clawatch_plugins.clawatch.shown import ShownAgents
from clawatch_plugins.clawatch.views import agent_detail, agent_view, event_view
from clawatch_plugins.clawatch.wire import AgentDetail, AgentList, AgentView, Done, Total
from clawatch_plugins.clawatch.words import SEED_TYPES, STATUS_WORDS, WORD_OF

VERBS = (CommandType.PAUSE, CommandType.RESUME, CommandType.STOP, CommandType.START, CommandType.RESTART)
RECENT = 50
"""Seed CW-13."""
GONE_AFTER: Millis = DAY


class Agents:
    def __init__(self, core: Core, shown: ShownAgents) -> None:
        self._core = core
        self._shown = shown

    def routes(self) -> tuple[Route, ...]:
        one = "/api/agents/{id}"
        params = (
            Param("status", "query", str, "only these, with commas"),
            Param("group", "query", str, "of this group only"),
            Param("q", "query", str, "with this text in id, name, host or group"),
            Param("all", "query", bool, "also sessions that ended more than a day ago"),
        )
        return (
            Route("GET", "/api/agents", self.list, Scope.READ, "All agents", gives=AgentList, params=params),
            Route("GET", one, self.detail, Scope.READ, "One agent and its recent events", gives=AgentDetail),
            Route("DELETE", one, self.remove, Scope.CONTROL, "Forget an agent; its events and costs stay", gives=Done),
            *(
                Route(
                    "POST", f"{one}/{verb}", self._control(verb), Scope.CONTROL, f"{verb.capitalize()} an agent",
                    gives=AgentView,
                )
                for verb in VERBS
            ),
        )

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        words = words_of(request, "status", STATUS_WORDS)
        group, text = text_of(request, "group"), (text_of(request, "q") or "").casefold()
        oldest = 0 if flag_of(request, "all") else self._core.clock.now().wall - GONE_AFTER
        wanted = [
            agent
            for agent in self._core.queries.agents(principal)
            if (not words or WORD_OF[agent.status] in words)
            and (group is None or agent.group == group)
            and (not text or _mentions(agent, text))
            and not is_gone(agent, oldest)
        ]
        shown = self._shown.json_of_all(wanted)
        return reply({"agents": shown, "pagination": Total(total=len(shown))})

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        agent = self._core.queries.agent(request.match_info["id"], principal)
        where = EventFilter(agent_id=agent.id, types=SEED_TYPES, from_seq=agent.first_seq)
        page = await self._core.queries.events(principal, where, limit=RECENT)
        recent = tuple(event_view(entry.seq, entry.body) for entry in page.items if isinstance(entry.body, Event))
        return reply(agent_detail(agent_view(agent, self._core.queries.controlling(agent)), recent))

    def _control(self, verb: CommandType) -> Handler:
        async def control(request: web.Request, principal: Principal) -> web.Response:
            agent, _ = await self._core.commands.control(request.match_info["id"], verb, principal)
            return reply(self._shown.json_of(agent))

        return control

    async def remove(self, request: web.Request, principal: Principal) -> web.Response:
        """Forget an agent, not what it did: its events and costs stay in lists and reports.

        When it reports again it is a new agent: totals at 0, and ``recentEvents`` from its new enrolment on.
        """
        await self._core.commands.remove_agent(request.match_info["id"], principal)
        return reply(Done())


def _mentions(agent: Agent, text: str) -> bool:
    return any(text in word.casefold() for word in (agent.id, agent.name, agent.host, agent.group))

