"""Commands: fetched and answered by agents, read by people."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Param, Route
from clawatch.apis.waits import unless_closing
from clawatch.domain.access import Principal, Scope
from clawatch.domain.commands import CommandState
from clawatch.ports import Core
from clawatch_plugins.clawatch.asking import (
    AGENT_ID,
    CURSOR,
    LIMIT,
    MAX_LIMIT,
    checked_texts,
    known_word,
    number_of,
    seconds_of,
    text_of,
)
from clawatch_plugins.clawatch.views import command_to_do, command_view
from clawatch_plugins.clawatch.wire import CommandList, CommandResult, CommandsToDo, CommandView

LONGEST_WAIT = 60.0
MAX_RESULT = 64 * 1024
ANSWERS = (CommandState.CONFIRMED, CommandState.FAILED, CommandState.UNSUPPORTED)


class Commands:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        wait = Param("wait", "query", float, f"seconds to wait for a command, at most {LONGEST_WAIT:.0f}")
        return (
            Route(
                "GET", "/api/agents/{id}/commands", self.take, Scope.INGEST,
                "What the agent is asked to do; for the agent itself", gives=CommandsToDo, params=(wait,),
            ),
            Route(
                "POST", "/api/commands/{id}/result", self.result, Scope.INGEST, "The agent's answer to a command",
                takes=CommandResult, gives=CommandView,
            ),
            Route(
                "GET", "/api/commands", self.list, Scope.READ, "Commands and their states, newest first",
                gives=CommandList, params=(AGENT_ID, CURSOR, LIMIT),
            ),
        )

    async def take(self, request: web.Request, principal: Principal) -> web.Response:
        wait = seconds_of(request, "wait", LONGEST_WAIT)
        taking = self._core.commands.take(request.match_info["id"], principal, wait)
        commands = await (unless_closing(request, taking, []) if wait else taking)
        return reply(CommandsToDo(commands=tuple(command_to_do(command) for command in commands)))

    async def result(self, request: web.Request, principal: Principal) -> web.Response:
        told = await read_json(request, CommandResult, limit=MAX_RESULT)
        checked_texts([("message", told.message)], most=4_000)
        command = await self._core.commands.result(
            request.match_info["id"], known_word("state", told.state, ANSWERS), told.message, told.data, principal
        )
        return reply(command_view(command))

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        limit = number_of(request, "limit", 100, MAX_LIMIT)
        page = await self._core.queries.commands(
            principal, text_of(request, "agentId"), text_of(request, "cursor"), limit
        )
        return reply(CommandList(commands=tuple(command_view(one) for one in page.items), next=page.next))
