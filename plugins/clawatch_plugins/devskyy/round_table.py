"""``/api/v1/round-table``: competitions, and how the providers do in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from clawatch.apis.envelopes import STORE_RETRY, Refused, reply
from clawatch.apis.routes import Param, Route
from clawatch.apis.waits import unless_closing
from clawatch.domain.access import Principal, Scope
from clawatch.domain.competitions import MOST_ENTRANTS, table_of
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.words import one_line
from clawatch.domain.work import COMPETITION
from clawatch.ports import Core, NotFound
from clawatch_plugins.devskyy.asking import (
    body_of,
    checked_names,
    choice_of,
    number_of,
    prompt_of,
    unprocessable,
    word_of,
)
from clawatch_plugins.devskyy.views import competition_view, history_entry
from clawatch_plugins.devskyy.wire import Compete, CompetitionView, HistoryEntry, ProviderStats, ProviderView
from clawatch_plugins.devskyy.words import STATUSES_OF

PATH = "/api/v1/round-table"
LIMIT, MOST, FARTHEST = 20, 100, 10_000
COUNTED = 1_000
"""Statistics are over so many of the newest competitions."""
PAGE = 200
EVERY_STATUS = "all"
_ENTRANT = "entrant"
_PROVIDER = "provider"


@dataclass
class Score:
    """What a provider has come to."""

    competitions: int = 0
    wins: int = 0
    totals: float = 0.0
    scored: int = 0
    latency: float = 0.0
    timed: int = 0
    cost: float = 0.0
    priced: int = 0


class RoundTable:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        params = (
            Param("limit", "query", int, f"1 to {MOST}, {LIMIT} by default"),
            Param("offset", "query", int, "how many of the newest to leave out"),
            Param("status", "query", str, f"completed by default; {', '.join(STATUSES_OF)} or {EVERY_STATUS}"),
        )
        return (
            Route("GET", PATH, self.show_all, Scope.READ, "Competitions, newest first", gives=list[HistoryEntry],
                  params=params),
            Route("POST", f"{PATH}/compete", self.compete, Scope.CONTROL,
                  "Have all entrants, or those of some providers, compete; answered when it is decided",
                  takes=Compete, gives=CompetitionView),
            Route("GET", f"{PATH}/stats", self.stats, Scope.READ, "How each provider does",
                  gives=list[ProviderStats]),
            Route("GET", f"{PATH}/providers", self.providers, Scope.READ, "Providers, and whether they would compete",
                  gives=list[ProviderView]),
            Route("GET", f"{PATH}/latest", self.latest, Scope.READ, "The competition decided last, null if none was",
                  gives=CompetitionView | None),
            Route("GET", f"{PATH}/{{competition_id}}", self.detail, Scope.READ, "One competition",
                  gives=CompetitionView),
        )  # fmt: skip

    async def show_all(self, request: web.Request, principal: Principal) -> web.Response:
        limit = number_of(request, "limit", LIMIT, 1, MOST)
        offset = number_of(request, "offset", 0, 0, FARTHEST)
        word = choice_of(request, "status", (*STATUSES_OF, EVERY_STATUS)) or "completed"
        runs = await self._runs(principal, offset + limit, STATUSES_OF.get(word, ()))
        return reply([history_entry(run) for run in runs[offset : offset + limit]])

    async def latest(self, request: web.Request, principal: Principal) -> web.Response:
        runs = await self._runs(principal, 1, (RunStatus.COMPLETED,))
        return reply(competition_view(runs[0]) if runs else None)

    async def detail(self, request: web.Request, principal: Principal) -> web.Response:
        run_id = request.match_info["competition_id"]
        try:
            run = await self._core.queries.run(run_id, principal)
        except NotFound:
            run = None
        if run is None or run.kind != COMPETITION:
            raise NotFound(f"Competition {one_line(run_id)} not found")
        return reply(competition_view(run))

    async def compete(self, request: web.Request, principal: Principal) -> web.Response:
        wanted = await body_of(request, Compete)
        prompt = prompt_of("prompt", wanted.prompt)
        if wanted.providers is not None and not 1 <= len(wanted.providers) <= MOST_ENTRANTS:
            raise unprocessable(f"providers: 1 to {MOST_ENTRANTS} are wanted, or null for all")
        names = checked_names("providers", wanted.providers)
        about = wanted.task_id and word_of("task_id", wanted.task_id)
        run = await self._core.work.compete(prompt, principal, names, about)
        done = await unless_closing(request, self._core.work.end_of(run), None)
        if done is None:
            raise Refused(
                503, f"Competition {run.id} goes on, but this server is closing", "unavailable",
                headers={"Retry-After": str(STORE_RETRY)},
            )
        if done.status is not RunStatus.COMPLETED:
            raise Refused(502, f"Competition {run.id} failed: {done.error}", "competition_failed")
        return reply(competition_view(done))

    async def stats(self, request: web.Request, principal: Principal) -> web.Response:
        scores = scores_of(await self._runs(principal, COUNTED, (RunStatus.COMPLETED,)))
        return reply([provider_stats(name, score) for name, score in sorted(scores.items())])

    async def providers(self, request: web.Request, principal: Principal) -> web.Response:
        scores = scores_of(await self._runs(principal, COUNTED, (RunStatus.COMPLETED,)))
        there = self._core.work.entrants(principal)
        known = {agent.labels.get(_PROVIDER) or agent.id: agent for agent in self._core.queries.agents(principal)
                 if _ENTRANT in agent.capabilities}
        views = []
        for name in sorted({*scores, *known}):
            told = provider_stats(name, scores.get(name, Score()))
            views.append(ProviderView(
                name=name,
                display_name=known[name].name if name in known else name,
                enabled=name in there,
                avg_latency_ms=told.avg_latency_ms,
                win_rate=told.win_rate,
                total_competitions=told.total_competitions,
            ))
        return reply(views)

    async def _runs(self, principal: Principal, most: int, statuses: tuple[RunStatus, ...]) -> list[Run]:
        found: list[Run] = []
        cursor: str | None = None
        while len(found) < most:
            page = await self._core.queries.runs(principal, cursor, PAGE, kind=COMPETITION, statuses=statuses)
            found += page.items
            cursor = page.next
            if cursor is None:
                break
        return found[:most]


def scores_of(runs: Iterable[Run]) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for run in runs:
        table = table_of(run)
        for entry in () if table is None else table.entries:
            score = scores.setdefault(entry.provider, Score())
            score.competitions += 1
            score.wins += table is not None and table.winner == entry.provider
            if entry.scores is not None:
                score.totals, score.scored = score.totals + entry.scores.total, score.scored + 1
            if entry.latency_ms is not None:
                score.latency, score.timed = score.latency + entry.latency_ms, score.timed + 1
            if entry.cost_usd is not None:
                score.cost, score.priced = score.cost + entry.cost_usd, score.priced + 1
    return scores


def provider_stats(name: str, score: Score) -> ProviderStats:
    return ProviderStats(
        provider=name,
        total_competitions=score.competitions,
        wins=score.wins,
        win_rate=_mean(score.wins, score.competitions),
        avg_score=_mean(score.totals, score.scored),
        avg_latency_ms=_mean(score.latency, score.timed),
        total_cost_usd=round(score.cost, 9) if score.priced else None,
    )


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 4) if count else None
