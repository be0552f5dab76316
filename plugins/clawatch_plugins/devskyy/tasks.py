"""``/api/v1/tasks``: tasks are runs of the kind ``task``, whoever asked for them."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import Refused, reply
from clawatch.apis.routes import Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.runs import Run
from clawatch.domain.words import one_line
from clawatch.domain.work import TASK, Order
from clawatch.ports import Conflict, Core, NotFound
from clawatch_plugins.devskyy.asking import body_of, choice_of, number_of, parameters_of, prompt_of, word_of
from clawatch_plugins.devskyy.views import kind_of, task_view
from clawatch_plugins.devskyy.wire import Cancelled, TaskView, TaskWanted
from clawatch_plugins.devskyy.words import STATUSES_OF

PATH = "/api/v1/tasks"
LIMIT, MOST = 20, 100
PAGES = 50
"""A rare type is looked for among so many pages of tasks; older ones are not found by type."""


class Tasks:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        one = f"{PATH}/{{task_id}}"
        params = (
            Param("limit", "query", int, f"1 to {MOST}, {LIMIT} by default"),
            Param("agent_type", "query", str, "only those for this type"),
            Param("status", "query", str, f"only these: {', '.join(STATUSES_OF)}"),
        )
        return (
            Route("GET", PATH, self.show_all, Scope.READ, "Tasks, newest first", gives=list[TaskView], params=params),
            Route(
                "POST", PATH, self.submit, Scope.CONTROL, "Submit a task; it waits until an agent of its type takes it",
                takes=TaskWanted, gives=TaskView,
            ),
            Route("GET", one, self.detail, Scope.READ, "One task", gives=TaskView),
            Route("POST", f"{one}/cancel", self.cancel, Scope.CONTROL, "Cancel a task that has not ended",
                  gives=Cancelled),
        )  # fmt: skip

    async def show_all(self, request: web.Request, principal: Principal) -> web.Response:
        limit = number_of(request, "limit", LIMIT, 1, MOST)
        word = choice_of(request, "status", STATUSES_OF)
        kind = request.query.get("agent_type") or None
        statuses = STATUSES_OF[word] if word is not None else ()
        found: list[Run] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._core.queries.runs(principal, cursor, MOST, kind=TASK, statuses=statuses)
            found += [run for run in page.items if kind in (None, kind_of(run, self._core))]
            cursor = page.next
            if cursor is None or len(found) >= limit:
                break
        return reply([task_view(run, self._core) for run in found[:limit]])

    async def submit(self, request: web.Request, principal: Principal) -> web.Response:
        wanted = await body_of(request, TaskWanted)
        kind = word_of("agentType", wanted.agentType or wanted.agent_type)
        run = await self._core.work.submit(Order(for_kind=kind, input={
            "prompt": prompt_of("prompt", wanted.prompt), "parameters": parameters_of(wanted.parameters),
            "useRoundTable": wanted.useRoundTable or wanted.use_round_table,
        }), principal)
        return reply(task_view(run, self._core))

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        return reply(task_view(await self._task(request, principal), self._core))

    async def cancel(self, request: web.Request, principal: Principal) -> web.Response:
        run = await self._task(request, principal)
        try:
            await self._core.work.cancel(run.id, principal)
        except Conflict as error:
            raise Refused(400, f"Cannot cancel task {run.id}: {error}", "not_cancellable") from None
        return reply(Cancelled(success=True, message=f"Task {run.id} cancelled"))

    async def _task(self, request: web.Request, principal: Principal) -> Run:
        task_id = request.match_info["task_id"]
        try:
            run = await self._core.queries.run(task_id, principal)
        except NotFound:
            run = None
        if run is None or run.kind != TASK:
            raise NotFound(f"Task not found: {one_line(task_id)}")
        return run
