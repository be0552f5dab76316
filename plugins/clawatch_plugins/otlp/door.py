"""The door itself: a body becomes records, each client's records become events by its vocabulary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web
from msgspec import Struct

from clawatch.apis.bodies import MAX_BODY, read_body
from clawatch.apis.contents import without_content
from clawatch.apis.envelopes import Refused, problem_of
from clawatch.apis.pace import Pace
from clawatch.apis.routes import Address, Api, Handler, Problem, Route
from clawatch.apis.telemetry import Encoding, OtlpSignal, Record, decode_in_turns
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError, Core, GeneralVocabulary, Receipt, Vocabulary
from clawatch_plugins.otlp.answers import accepted, refusal
from clawatch_plugins.otlp.settings import OtlpSettings

_MAX_STRANGERS = 64
_ENCODINGS = {
    "application/json": Encoding.JSON,
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/protobuf": Encoding.PROTOBUF,
    "application/vnd.google.protobuf": Encoding.PROTOBUF,
}


class Mapped(Struct):
    """What a request's records came to. ``lost``: records whose vocabulary failed."""

    events: list[Event]
    vocabularies: list[Vocabulary]
    """Whose each event is."""
    lost: int = 0


class Door:
    def __init__(self, core: Core, settings: OtlpSettings | None = None) -> None:
        self._core = core
        self._settings = settings or OtlpSettings()
        self.ignored = 0
        """Records that no vocabulary knows, since the start."""
        self._strangers: set[str] = set()
        self._general = [cast(GeneralVocabulary, one) for one in core.vocabularies if _is_general(one)]

    def api(self) -> Api:
        routes = [
            Route("POST", f"{prefix}/v1/{signal}", self._handler(signal), Scope.INGEST, f"OTLP/HTTP {signal}")
            for signal in OtlpSignal
            for prefix in ("", "/{prefix:.*}")
        ]
        listen = self._settings.listen
        also_on = () if listen is None else (Address(*listen, "apis.otlp.listen"),)
        return Api(tuple(routes), refusal, ("/v1/",), refuse=_refuse, also_on=also_on)

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
        records = await decode_in_turns(await read_body(request, MAX_BODY), signal, encoding)
        mapped = await self._map(records, self._core.clock.now().wall)
        if not mapped.events:
            why = "their vocabulary failed; see the daemon's log" if mapped.lost else ""
            return accepted(signal, encoding, mapped.lost, why)
        kept = mapped.events if self._settings.content else [without_content(event) for event in mapped.events]
        receipt = await self._core.ingest.accept(kept, principal)
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
                        events.append(event)  # the very object, which its vocabulary knows again
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
            vocabulary = asked[key] or self._recognise(record)
            groups.setdefault(id(vocabulary), (vocabulary, []))[1].append(record)
        return list(groups.values())

    def _detect(self, record: Record) -> Vocabulary | None:
        known = (one for one in self._core.vocabularies if one.detects(record.resource, record.scope))
        return next(known, None)

    def _recognise(self, record: Record) -> Vocabulary | None:
        """Of a client that nobody detects: whose attributes it bears."""
        return next((one for one in self._general if one.recognises(record)), None)

    def _note_stranger(self, record: Record) -> None:
        """Say once for each client that it is not understood, so that nobody looks for its agents in vain."""
        client = str(record.resource.get("service.name", "unnamed"))[:100]
        if client not in self._strangers and len(self._strangers) < _MAX_STRANGERS:
            self._strangers.add(client)
            self._core.log.info("otlp.unknown_client", client=client, scope=record.scope[:100])


def _refuse(request: web.Request, problem: Problem) -> web.Response:
    """What the web server refuses by itself."""
    return refusal(problem, _ENCODINGS.get(request.content_type, Encoding.JSON))


def _is_general(vocabulary: Vocabulary) -> bool:
    """The daemon guards each, and a guard has whatever its vocabulary may have."""
    return hasattr(getattr(vocabulary, "vocabulary", vocabulary), "recognises")


def _tell(mapped: Mapped, receipt: Receipt) -> None:
    """Tell each vocabulary which of its events were taken."""
    refused = {index for index, _ in receipt.rejected}
    taken: dict[int, tuple[Vocabulary, list[Event]]] = {}
    for index, (event, vocabulary) in enumerate(zip(mapped.events, mapped.vocabularies, strict=True)):
        if index not in refused:
            taken.setdefault(id(vocabulary), (vocabulary, []))[1].append(event)
    for vocabulary, events in taken.values():
        vocabulary.accepted(events)


@asynccontextmanager
async def open_otlp(settings: OtlpSettings, core: Core) -> AsyncIterator[Api]:
    yield Door(core, settings).api()
