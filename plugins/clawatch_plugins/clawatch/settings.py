"""The configuration in force, and which rules hold for whom."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Struct

from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.ports import Core
from clawatch_plugins.clawatch.asking import AGENT_ID, text_of


class ConfigView(Struct, frozen=True):
    config: dict[str, Any]
    """By section, as the file would say it; secrets are hidden."""


class RulesView(Struct, frozen=True):
    rules: dict[str, dict[str, Any]]
    """The settings of each rule."""
    agents: dict[str, dict[str, dict[str, Any]]]
    """By agent, those rules that hold otherwise for it."""


class Settings:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/api/config", self.config, Scope.ADMIN, "The configuration in force", gives=ConfigView),
            Route(
                "GET", "/api/rules", self.rules, Scope.READ, "The rules in use, and for whom they hold otherwise",
                gives=RulesView, params=(AGENT_ID,),
            ),
        )

    async def config(self, request: web.Request, principal: Principal) -> web.Response:
        return reply(ConfigView(dict(self._core.settings.all())))

    async def rules(self, request: web.Request, principal: Principal) -> web.Response:
        settings = self._core.settings
        own = {agent.id: settings.rules_of(agent) for agent in self._asked_for(request, principal)}
        return reply(
            RulesView(
                rules={name: dict(shown) for name, shown in settings.rules().items()},
                agents={agent_id: {name: dict(one) for name, one in o.items()} for agent_id, o in own.items() if o},
            )
        )

    def _asked_for(self, request: web.Request, principal: Principal) -> list[Agent]:
        agent_id = text_of(request, "agentId")
        if agent_id is None:
            return self._core.queries.agents(principal)
        return [self._core.queries.agent(agent_id, principal)]
