"""``/api/v1/agents``: agents by their type, and what is asked of them."""

from __future__ import annotations

from time import perf_counter

from aiohttp import web

from clawatch.apis.envelopes import reply
from clawatch.apis.fanout import News
from clawatch.apis.routes import Handler, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent, is_gone
from clawatch.domain.commands import CommandType
from clawatch.domain.time import DAY
from clawatch.domain.words import one_line
from clawatch.domain.work import LEARNING, TASK, Order
from clawatch.ports import Core, NotFound
from clawatch_plugins.devskyy.asking import body_of, parameters_of, prompt_of
from clawatch_plugins.devskyy.channels import Tell
from clawatch_plugins.devskyy.translation import agent_update
from clawatch_plugins.devskyy.views import agent_view
from clawatch_plugins.devskyy.wire import AgentInfo, Controlled, Execute, Executed, Learning
from clawatch_plugins.devskyy.words import LEARNS, word_of

PATH = "/api/v1/agents"


class Agents:
    """A path names a type, or a single agent by its id."""

    def __init__(self, core: Core, tell: Tell) -> None:
        self._core = core
        self._tell = tell

    def routes(self) -> tuple[Route, ...]:
        one = f"{PATH}/{{agent_type}}"
        return (
            Route("GET", PATH, self.show_all, Scope.READ, "All agents, as DevSkyy shows them", gives=list[AgentInfo]),
            Route("GET", one, self.detail, Scope.READ, "The agent of a type, or the one of an id", gives=AgentInfo),
            Route(
                "POST", f"{one}/execute", self.execute, Scope.CONTROL, "Give an agent of this type a task at once",
                takes=Execute, gives=Executed,
            ),
            Route("POST", f"{one}/learn", self.learn, Scope.CONTROL, "Have an agent of this type learn",
                  gives=Learning),
            *(
                Route(
                    "POST", f"{one}/{verb}", self._control(verb), Scope.CONTROL,
                    f"{verb.capitalize()} all agents of this type", gives=Controlled,
                )
                for verb in (CommandType.START, CommandType.STOP)
            ),
        )  # fmt: skip

    async def show_all(self, request: web.Request, principal: Principal) -> web.Response:
        oldest = self._core.clock.now().wall - DAY
        agents = (a for a in self._core.queries.agents(principal) if not is_gone(a, oldest))
        return reply([agent_view(agent, self._core) for agent in sorted(agents, key=lambda a: (a.kind, a.id))])

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        kind = request.match_info["agent_type"]
        agents = self._core.work.takers(principal, kind) or self._meant(kind, principal)
        return reply(agent_view(agents[0], self._core))

    async def execute(self, request: web.Request, principal: Principal) -> web.Response:
        began = perf_counter()
        wanted = await body_of(request, Execute)
        kind = request.match_info["agent_type"]
        run = await self._core.work.submit(self._order(kind, principal, TASK, {
            "prompt": prompt_of("task", wanted.task), "parameters": parameters_of(wanted.parameters),
            "useRoundTable": wanted.use_round_table,
        }), principal)
        return reply(Executed(
            task_id=run.id,
            agent_type=kind,
            status="started",
            result=None,
            latency_ms=round((perf_counter() - began) * 1000, 3),
            technique_used=None,
        ))

    async def learn(self, request: web.Request, principal: Principal) -> web.Response:
        kind = request.match_info["agent_type"]
        next_up = self._core.work.takers(principal, kind)
        named = Order(kind=LEARNING, agent_id=next_up[0].id, input={}) if next_up else None
        run = await self._core.work.submit(named or self._order(kind, principal, LEARNING, {}), principal)
        cycles = self._core.work.record(run.agent_id).learning_cycles
        return reply(Learning(success=True, status=LEARNS, learning_cycles=cycles, task_id=run.id))

    def _order(self, kind: str, principal: Principal, work: str, input: dict[str, object]) -> Order:
        """For the type where there is one of that name, else for the one agent of that id."""
        agents = self._meant(kind, principal)
        if any(agent.kind == kind for agent in agents):
            return Order(kind=work, for_kind=kind, input=input, waits=False)
        return Order(kind=work, agent_id=agents[0].id, input=input, waits=False)

    def _control(self, verb: CommandType) -> Handler:
        async def control(request: web.Request, principal: Principal) -> web.Response:
            words: dict[str, str] = {}
            for agent in self._meant(request.match_info["agent_type"], principal):
                now, _ = await self._core.commands.control(agent.id, verb, principal)
                words[now.id] = word_of(now, self._core.work.held_by(now.id))
                if now.status is agent.status:  # else the journal says so
                    self._tell(News("agents", now.id, agent_update(now, self._core, self._core.clock.now().wall)))
            return reply(Controlled(success=True, status=next(iter(words.values())), agents=words))

        return control

    def _meant(self, kind: str, principal: Principal) -> list[Agent]:
        """All of this type, else the one of this id. Raises NotFound."""
        agents = self._core.queries.agents(principal)
        found = [agent for agent in agents if agent.kind == kind] or [a for a in agents if a.id == kind]
        if not found:
            raise NotFound(f"there is no agent of type {one_line(kind)!r}")
        return found
