"""Events: posted by agents, read by people."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from clawatch.apis.bodies import read_body
from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Param, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import Event, EventType, Origin
from clawatch.ports import ClaWatchError, Core, EventFilter, Receipt
from clawatch_plugins.clawatch.asking import (
    AGENT_ID,
    CURSOR,
    FROM,
    LIMIT,
    MAX_LIMIT,
    TO,
    bounds_of,
    number_of,
    text_of,
    words_of,
)
from clawatch_plugins.clawatch.parsing import Batch, parse_in_turns
from clawatch_plugins.clawatch.posting import EventPosted
from clawatch_plugins.clawatch.views import command_to_do, event_view
from clawatch_plugins.clawatch.wire import CommandToDo, EventList, NothingTaken, Rejected, Taken

MAX_BODY = 4 * 1024 * 1024
SPOOL = "X-ClaWatch-Spool"
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
_NOTHING = Receipt(accepted=0, duplicates=0)


class Events:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        path = "/api/events"
        spool = Param(SPOOL, "header", str, "1: events from a spool; they count, but are no sign of life")
        types = Param("type", "query", str, "only these, with commas")
        return (
            Route(
                "POST", path, self.post, Scope.INGEST, "Report events: one, an array, or NDJSON",
                takes=EventPosted | list[EventPosted], gives=Taken, status=201, params=(spool,),
            ),
            Route(
                "GET", path, self.list, Scope.READ, "Events, newest first", gives=EventList,
                params=(AGENT_ID, types, FROM, TO, CURSOR, LIMIT),
            ),
        )

    async def post(self, request: web.Request, principal: Principal) -> web.Response:
        body = await read_body(request, MAX_BODY)
        origin = Origin.LATE if request.headers.get(SPOOL, "").strip() == "1" else Origin.LIVE
        is_lines = request.content_type in _LINES
        batch = await parse_in_turns(body, is_lines, self._core.clock.now().wall, origin)
        receipt = await self._core.ingest.accept(batch.events, principal) if batch.events else _NOTHING
        refused = _refused(batch, receipt)
        if refused and not receipt.accepted and not receipt.duplicates:
            return _nothing_taken(refused, is_forbidden=receipt.forbidden and not batch.refusals)
        taken = Taken(
            ok=True,
            accepted=receipt.accepted,
            duplicates=receipt.duplicates,
            rejected=refused,
            commands=await self._commands(batch.events, principal),
        )
        return reply(taken, 201)

    async def _commands(self, events: Iterable[Event], principal: Principal) -> tuple[CommandToDo, ...]:
        """What the agents of a batch are asked to do."""
        commands = self._core.commands
        agents = [a for a in dict.fromkeys(e.agent_id for e in events) if commands.has_open(a) and principal.sees(a)]
        if not agents:
            return ()
        try:
            taken = [await commands.take(agent_id, principal) for agent_id in agents]
        except ClaWatchError as error:  # the events are stored; the commands come with the next ones
            self._core.log.warning("clawatch.commands_withheld", error=str(error))
            return ()
        return tuple(command_to_do(command) for some in taken for command in some)

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        since, until = bounds_of(request)
        where = EventFilter(
            agent_id=text_of(request, "agentId"),
            types=words_of(request, "type", EventType),
            since=since,
            until=until,
        )
        limit = number_of(request, "limit", 100, MAX_LIMIT)
        page = await self._core.queries.events(principal, where, text_of(request, "cursor"), limit)
        views = tuple(event_view(entry.seq, entry.body) for entry in page.items if isinstance(entry.body, Event))
        return reply(EventList(events=views, next=page.next))


def _refused(batch: Batch, receipt: Receipt) -> tuple[Rejected, ...]:
    """All refusals by their places in what was sent."""
    if not batch.refusals and not receipt.rejected:
        return ()
    ours = ((batch.places[index], why) for index, why in receipt.rejected)
    return tuple(Rejected(index=index, error=why) for index, why in sorted((*batch.refusals, *ours)))


def _nothing_taken(refused: tuple[Rejected, ...], is_forbidden: bool) -> web.Response:
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    body = NothingTaken(error=refused[0].error + more, ok=False, accepted=0, duplicates=0, rejected=refused)
    return reply(body, 403 if is_forbidden else 400)
