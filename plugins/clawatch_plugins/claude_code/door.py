"""The door for Claude Code's HTTP hooks. The agent waits for the answer, so it is given from memory, at once;
what the hook told is stored afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.limits import is_over_rate
from clawatch.apis.routes import Api, Param, Route
from clawatch.domain.access import CORE, Principal, Scope, check_agent_id
from clawatch.domain.agents import Agent
from clawatch.ports import ClaWatchError, Core, Forbidden, Invalid, NotFound
from clawatch.settings import Settings
from clawatch_plugins.claude_code.backlog import Backlog, Item
from clawatch_plugins.claude_code.brake import ANSWERS, ENDS, Brake, is_braked
from clawatch_plugins.claude_code.hooks import Hook, map_hook, read_hook, refused
from clawatch_plugins.claude_code.sessions import Sessions
from clawatch_plugins.claude_code.vocabulary import ClaudeCode

PATH = "/hooks/claude-code"
MAX_BODY = 16 * 1024 * 1024
"""Generous, since a refused body lets the agent go on; results of tools may be large."""
TICK = 1.0


class HooksSettings(Settings):
    """Nothing to set."""


class Door:
    def __init__(self, core: Core, backlog: Backlog, brake: Brake, sessions: Sessions) -> None:
        self._core = core
        self._backlog = backlog
        self._brake = brake
        self._sessions = sessions

    def api(self) -> Api:
        route = Route(
            "POST",
            PATH,
            self.hook,
            Scope.INGEST,
            "Claude Code's HTTP hooks. The answer is empty, or tells a paused session to stop.",
            takes=dict,
            params=(Param("agent", "query", description="The agent's id; else it is made from the session."),),
            is_answered_over_rate=True,
        )
        return Api((route,), clawatch_envelope, (PATH,))

    async def hook(self, request: web.Request, principal: Principal) -> web.Response:
        """Answer a hook from memory, and leave the storing for later."""
        hook = read_hook(await read_json(request, limit=MAX_BODY), request.query.get("agent"))
        _check(hook, principal)
        agent = self._known(hook.agent_id)
        is_refused = is_braked(agent) and hook.name in ANSWERS
        self._keep(hook, agent, principal, is_refused, is_over_rate(request))
        return reply(ANSWERS[hook.name]) if is_refused else web.Response()

    def _keep(self, hook: Hook, agent: Agent | None, principal: Principal, is_refused: bool, is_spent: bool) -> None:
        now = self._core.clock.now()
        self._sessions.hooked.add((hook.agent_id, hook.session_id))
        if agent is not None:
            self._brake.saw(agent, now, is_refused)
        event = None if is_spent else map_hook(hook, now.wall, None if agent is None else agent.turn)
        if event is not None and is_refused:
            event = refused(event)
        then = self._then(hook, agent, is_refused)
        if event is not None or then is not None:
            self._backlog.put(Item(event, principal, then))

    def _then(self, hook: Hook, agent: Agent | None, is_refused: bool) -> Callable[[], Awaitable[None]] | None:
        if not is_braked(agent):
            return None
        if is_refused:
            return lambda: self._brake.delivered(hook.agent_id)
        if hook.name in ENDS and not hook.is_subagent:
            return lambda: self._brake.confirm(hook.agent_id, f"{hook.name} was reported")
        return None

    def _known(self, agent_id: str) -> Agent | None:
        try:
            return self._core.queries.agent(agent_id, CORE)
        except NotFound:
            return None


def _check(hook: Hook, principal: Principal) -> None:
    try:
        check_agent_id(hook.agent_id)
    except ValueError as error:
        raise Invalid(str(error)) from None
    if not principal.sees(hook.agent_id):
        raise Forbidden(f"the key {principal.name!r} may not write for the agent {hook.agent_id!r}")


@asynccontextmanager
async def open_hooks(settings: HooksSettings, core: Core) -> AsyncIterator[Api]:
    """The door, storing in the background until it closes."""
    backlog = Backlog(core.ingest, core.log)
    brake = Brake(core.queries, core.commands, core.ingest)
    tasks = [asyncio.create_task(backlog.run()), asyncio.create_task(_tick(brake, core))]
    try:
        yield Door(core, backlog, brake, sessions_of(core)).api()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await backlog.close()


def sessions_of(core: Core) -> Sessions:
    """The vocabulary's, so that it leaves turns to the hooks where there are any."""
    vocabularies = (getattr(one, "vocabulary", one) for one in core.vocabularies)  # the daemon guards each
    return next((one.sessions for one in vocabularies if isinstance(one, ClaudeCode)), None) or Sessions()


async def _tick(brake: Brake, core: Core) -> None:
    while True:
        await asyncio.sleep(TICK)
        with suppress(ClaWatchError):  # the store is down: at the next tick
            await brake.tick(core.clock.now())
