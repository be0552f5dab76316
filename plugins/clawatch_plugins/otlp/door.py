"""The door itself: a body becomes records, each client's records become events by its vocabulary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct

from clawatch.apis.bodies import MAX_BODY, read_body
from clawatch.apis.envelopes import Refused, problem_of
from clawatch.apis.pace import Pace
from clawatch.apis.routes import Api, Handler, Problem, Route
from clawatch.apis.telemetry import Encoding, OtlpSignal, Record, decode
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError, Core, Receipt, Vocabulary
from clawatch.settings import Settings
from clawatch_plugins.otlp.answers import accepted, refusal

_LARGE = 128 * 1024
"""Bodies beyond this are decoded beside the event loop."""
_MAX_STRANGERS = 64
_ENCODINGS = {
    "application/json": Encoding.JSON,
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/protobuf": Encoding.PROTOBUF,
    "application/vnd.google.protobuf": Encoding.PROTOBUF,
}


class OtlpSettings(Settings):
    """Nothing to set."""


class Mapped(Struct):
    """What a request's records came to. ``lost``: records whose vocabulary failed."""

    events: list[Event]
    vocabularies: list[Vocabulary]
    """Whose each event is."""
    lost: int = 0


class Door:
    def __init__(self, core: Core) -> None:
        self._core = core
        self.ignored = 0
        """Records that no vocabulary knows, since the start."""
        self._strangers: set[str] = set()

    def api(self) -> Api:
        routes = [
            Route("POST", f"{prefix}/v1/{signal}", self._handler(signal), Scope.INGEST, f"OTLP/HTTP {signal}")
            for signal in OtlpSignal
            for prefix in ("", "/{prefix:.*}")
        ]
        return Api(tuple(routes), refusal, ("/v1/",))

    def _handler(self, signal: OtlpSignal) -> Handler:
        async def handle(request: web.Request, principal: Principal) -> web.Response:
            encoding = _ENCODINGS.get(request.content_type)
            if encoding is None:
                wanted = " or ".join(Encoding)
                return refusal(Problem(415, f"the content type must be {wanted}, not {request.content_type}"))
            try:
                return await self._take(request, principal, signal, encoding)
            except ClaWatchError as error:
                return refusal(problem_of(error), encoding)

        return handle

    async def _take(
        self, request: web.Request, principal: Principal, signal: OtlpSignal, encoding: Encoding
    ) -> web.Response:
        mapped = await self._map(await _records(request, signal, encoding), self._core.clock.now().wall)
        if not mapped.events:
            why = "their vocabulary failed; see the daemon's log" if mapped.lost else ""
            return accepted(signal, encoding, mapped.lost, why)
        receipt = await self._core.ingest.accept(mapped.events, principal)
        _tell(mapped, receipt)
        if receipt.forbidden and not receipt.accepted and not receipt.duplicates:
            raise Refused(403, receipt.rejected[0][1], "forbidden")
        reasons = sorted({reason for _, reason in receipt.rejected})
        return accepted(signal, encoding, len(receipt.rejected) + mapped.lost, "; ".join(reasons[:3]))

    async def _map(self, records: Iterable[Record], now: Millis) -> Mapped:
        mapped, pace = Mapped([], []), Pace()
        for vocabulary, mine in self._by_client(records):
            if vocabulary is None:
                self.ignored += len(mine)
                self._note_stranger(mine[0])
                continue
            events: list[Event] = []
            try:
                for event in vocabulary.map(mine, now):
                    if event is not None:
                        events.append(event)
                    await pace.step()
            except Exception:
                self._core.log.exception("otlp.vocabulary_failed", vocabulary=vocabulary.name, records=len(mine))
                mapped.lost += len(mine)
                continue
            mapped.events += events
            mapped.vocabularies += [vocabulary] * len(events)
        return mapped

    def _by_client(self, records: Iterable[Record]) -> list[tuple[Vocabulary | None, Sequence[Record]]]:
        """Records by the vocabulary that knows them, in order of first appearance."""
        groups: dict[int, tuple[Vocabulary | None, list[Record]]] = {}
        asked: dict[tuple[int, str], Vocabulary | None] = {}
        for record in records:
            key = (id(record.resource), record.scope)  # records of one resource share it
            if key not in asked:
                asked[key] = self._detect(record)
            groups.setdefault(id(asked[key]), (asked[key], []))[1].append(record)
        return list(groups.values())

    def _detect(self, record: Record) -> Vocabulary | None:
        known = (one for one in self._core.vocabularies if one.detects(record.resource, record.scope))
        return next(known, None)

    def _note_stranger(self, record: Record) -> None:
        """Say once for each client that it is not understood, so that nobody looks for its agents in vain."""
        client = str(record.resource.get("service.name", "unnamed"))[:100]
        if client not in self._strangers and len(self._strangers) < _MAX_STRANGERS:
            self._strangers.add(client)
            self._core.log.info("otlp.unknown_client", client=client, scope=record.scope[:100])


def _tell(mapped: Mapped, receipt: Receipt) -> None:
    """Tell each vocabulary which of its events were taken."""
    refused = {index for index, _ in receipt.rejected}
    taken: dict[int, tuple[Vocabulary, list[Event]]] = {}
    for index, (event, vocabulary) in enumerate(zip(mapped.events, mapped.vocabularies, strict=True)):
        if index not in refused:
            taken.setdefault(id(vocabulary), (vocabulary, []))[1].append(event)
    for vocabulary, events in taken.values():
        vocabulary.accepted(events)


async def _records(request: web.Request, signal: OtlpSignal, encoding: Encoding) -> list[Record]:
    body = await read_body(request, MAX_BODY)
    if len(body) < _LARGE:
        return decode(body, signal, encoding)
    return await asyncio.to_thread(decode, body, signal, encoding)


@asynccontextmanager
async def open_otlp(settings: OtlpSettings, core: Core) -> AsyncIterator[Api]:
    yield Door(core).api()
