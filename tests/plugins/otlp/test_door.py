"""The OpenTelemetry door over real HTTP."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from clawatch_plugins.otlp.answers import accepted
from clawatch_plugins.otlp.door import Door, open_otlp
from clawatch_plugins.otlp.settings import OtlpSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from clawatch.apis.routes import ANYONE, Handler
from clawatch.domain.access import Principal
from clawatch.domain.events import Event, EventType
from clawatch.domain.time import Millis
from clawatch.ports import Core, Receipt, StoreUnavailable
from clawatch.testing.clock import FakeClock

SAMPLES = Path(__file__).parents[2] / "samples" / "claude_code"
LOGS = SAMPLES / "cc_httpjson_tool/otlp/001_logs.body.json"
PACKED = SAMPLES / "cc_protobuf_toolfail/otlp/002_logs.body.pb"
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class FakeIngest:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: tuple[tuple[int, str], ...] = ()
        self.forbidden = False
        self.is_down = False

    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        if self.is_down:
            raise StoreUnavailable("the disk is full")
        self.events += events
        kept = len(events) - len(self.rejected)
        return Receipt(accepted=kept, duplicates=0, rejected=self.rejected, forbidden=self.forbidden)


class EachOne:
    """A vocabulary that makes a heartbeat of every record of one client."""

    def __init__(self, client: str, is_broken: bool = False) -> None:
        self.name = client
        self._is_broken = is_broken
        self.remembered: list[Event] = []

    def detects(self, resource: dict[str, Any], scope: str) -> bool:
        return resource.get("service.name") == self.name

    def map(self, records: Iterable[Any], now: Millis) -> list[Event]:
        if self._is_broken:
            raise RuntimeError("a bug")
        return [Event(agent_id=self.name, type=EventType.HEARTBEAT, at=record.at or now) for record in records]

    def accepted(self, events: Sequence[Event]) -> None:
        self.remembered += events


class Exporter:
    """An OTLP exporter and the far side of what it reaches."""

    def __init__(self, client: TestClient[Any, Any], ingest: FakeIngest, door: Door, known: EachOne) -> None:
        self.client, self.ingest, self.door, self.known = client, ingest, door, known

    async def send(self, body: Any, path: str = "/v1/logs", **headers: str) -> ClientResponse:
        sent = {"Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        answer = await self.client.post(path, data=data, headers=sent)
        await answer.read()
        return answer


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    ingest, known = FakeIngest(), EachOne("claude-code")
    core = Core(
        ingest=ingest, queries=None, commands=None, access=None, bus=None, clock=FakeClock(), scheduler=None,
        http=None, log=structlog.get_logger(), vocabularies=(known, EachOne("broken", is_broken=True)),
    )  # type: ignore[arg-type]
    door = Door(core)
    app = web.Application()
    for route in door.api().routes:
        app.router.add_route(route.method, route.path, anonymous(route.handler))
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield Exporter(client, ingest, door, known)


def anonymous(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request, ANYONE)

    return handle


def of(client: str, count: int = 1) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": client}}]}
    return {"resource": resource, "scopeLogs": [{"logRecords": [{}] * count}]}


async def test_logs_are_taken_as_json(exporter: Exporter) -> None:
    answer = await exporter.send(LOGS.read_bytes())
    assert (answer.status, answer.content_type, await answer.json()) == (200, "application/json", {})
    assert len(exporter.ingest.events) == 10


async def test_logs_are_taken_as_protobuf(exporter: Exporter) -> None:
    answer = await exporter.send(PACKED.read_bytes(), **{"Content-Type": "application/x-protobuf"})
    assert (answer.status, answer.content_type) == (200, "application/x-protobuf")
    assert not ExportLogsServiceResponse.FromString(await answer.read()).HasField("partial_success")
    assert len(exporter.ingest.events) == 10


@pytest.mark.parametrize("path", ["/v1/logs", "/otel/v1/logs", "/a/b/c/v1/logs"])
async def test_any_prefix_leads_to_the_same_door(exporter: Exporter, path: str) -> None:
    assert (await exporter.send(LOGS.read_bytes(), path)).status == 200


@pytest.mark.parametrize("signal", ["metrics", "traces"])
async def test_every_signal_is_accepted(exporter: Exporter, signal: str) -> None:
    (body,) = (SAMPLES / "cc_protobuf_toolfail/otlp").glob(f"*_{signal}.body.pb")
    answer = await exporter.send(body.read_bytes(), f"/v1/{signal}", **PROTOBUF)
    assert answer.status == 200
    assert exporter.ingest.events


async def test_bodies_may_be_packed(exporter: Exporter) -> None:
    answer = await exporter.send(gzip.compress(LOGS.read_bytes()), Content_Encoding="gzip")
    assert (answer.status, len(exporter.ingest.events)) == (200, 10)


async def test_bodies_may_come_in_chunks(exporter: Exporter) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        body = LOGS.read_bytes()
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    answer = await exporter.send(pieces())
    assert (answer.status, len(exporter.ingest.events)) == (200, 10)


async def test_large_bodies_are_taken(exporter: Exporter) -> None:
    body = json.dumps({"resourceLogs": [of("claude-code", 15_000)], "pad": "x" * 200_000}).encode()
    assert (await exporter.send(body)).status == 200
    assert len(exporter.ingest.events) == 15_000


async def test_records_nobody_knows_are_counted_and_no_error(exporter: Exporter) -> None:
    body = json.dumps({"resourceLogs": [of("stranger", 3), of("claude-code"), {"scopeLogs": [{"logRecords": [{}]}]}]})
    assert await (await exporter.send(body)).json() == {}
    assert (exporter.door.ignored, len(exporter.ingest.events)) == (4, 1)


async def test_a_vocabulary_that_fails_loses_its_own_records_only(exporter: Exporter) -> None:
    body = json.dumps({"resourceLogs": [of("broken", 2), of("claude-code")]})
    answer = await exporter.send(body)
    assert answer.status == 200
    assert (await answer.json())["partialSuccess"]["rejectedLogRecords"] == "2"
    assert len(exporter.ingest.events) == 1


async def test_what_was_rejected_is_told_as_a_partial_success(exporter: Exporter) -> None:
    exporter.ingest.rejected = ((0, "an agent id has 1 to 200 characters; this one has 300"),)
    answer = await exporter.send(LOGS.read_bytes())
    assert await answer.json() == {"partialSuccess": {
        "rejectedLogRecords": "1", "errorMessage": "an agent id has 1 to 200 characters; this one has 300",
    }}
    packed = ExportLogsServiceResponse.FromString(await (await exporter.send(PACKED.read_bytes(), **PROTOBUF)).read())
    assert packed.partial_success.rejected_log_records == 1
    assert packed.partial_success.error_message.startswith("an agent id")


async def test_a_vocabulary_hears_which_of_its_events_were_taken(exporter: Exporter) -> None:
    body = json.dumps({"resourceLogs": [of("claude-code", 3)]})
    exporter.ingest.is_down = True
    assert (await exporter.send(body)).status == 503
    assert exporter.known.remembered == []
    exporter.ingest.is_down, exporter.ingest.rejected = False, ((1, "not yours"),)
    await exporter.send(body)
    assert exporter.known.remembered == [exporter.ingest.events[0], exporter.ingest.events[2]]


@pytest.mark.parametrize(
    ("signal", "response", "field"),
    [
        ("metrics", ExportMetricsServiceResponse, "rejected_data_points"),
        ("traces", ExportTraceServiceResponse, "rejected_spans"),
    ],
)
def test_each_signal_s_answer_is_its_own(signal: Any, response: Any, field: str) -> None:
    from clawatch.apis.telemetry import Encoding, OtlpSignal

    answer = accepted(OtlpSignal(signal), Encoding.PROTOBUF, 300, "wörd " * 100)
    assert isinstance(answer.body, bytes)
    partial = response.FromString(answer.body).partial_success
    assert (getattr(partial, field), partial.error_message) == (300, "wörd " * 100)


async def test_a_key_without_rights_is_told_so(exporter: Exporter) -> None:
    exporter.ingest.forbidden = True
    exporter.ingest.rejected = tuple((index, "the key may not write for it") for index in range(10))
    answer = await exporter.send(LOGS.read_bytes())
    assert (answer.status, await answer.json()) == (403, {"code": 7, "message": "the key may not write for it"})


async def test_a_store_that_is_down_asks_to_try_again(exporter: Exporter) -> None:
    exporter.ingest.is_down = True
    answer = await exporter.send(LOGS.read_bytes())
    assert (answer.status, (await answer.json())["code"]) == (503, 14)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"\xff\xff\xff", PROTOBUF, 400),
        (LOGS.read_bytes(), PROTOBUF, 400),
        (LOGS.read_bytes(), {"Content-Type": "text/plain"}, 415),
        (b"x" * 5_000_000, JSON, 413),
        (gzip.compress(b" " * 50_000_000), {**JSON, "Content-Encoding": "gzip"}, 413),
        (b"no gzip", {**JSON, "Content-Encoding": "gzip"}, 400),
        (b"{}", {**JSON, "Content-Encoding": "br"}, 415),
    ],
)
async def test_a_bad_body_gets_a_status_in_otlp_s_own_form(
    exporter: Exporter, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await exporter.send(body, **headers)
    assert answer.status == status
    if answer.content_type == "application/json":
        told = await answer.json()
        assert sorted(told) == ["code", "message"]
        assert isinstance(told["code"], int) and told["message"]
    else:
        assert (await answer.read())[:2] == b"\x08\x03"  # code INVALID_ARGUMENT
    assert not exporter.ingest.events


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SAMPLES.glob("*/otlp/*.body.*"))), st.data())
def test_broken_bodies_never_break_the_door(file: Path, data: st.DataObject) -> None:
    import asyncio

    body = bytearray(file.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    asyncio.run(_send_to_a_door(cut, file))


async def _send_to_a_door(body: bytes, file: Path) -> None:
    from aiohttp.test_utils import make_mocked_request
    from clawatch_plugins.claude_code.vocabulary import ClaudeCode

    ingest = FakeIngest()
    core = Core(
        ingest=ingest, queries=None, commands=None, access=None, bus=None, clock=FakeClock(), scheduler=None,
        http=None, log=structlog.get_logger(), vocabularies=(ClaudeCode(),),
    )  # type: ignore[arg-type]
    signal = file.name.split("_")[1].split(".")[0]
    headers = PROTOBUF if file.suffix == ".pb" else JSON
    async with open_otlp(OtlpSettings(), core) as api:
        route = next(route for route in api.routes if route.path == f"/v1/{signal}")
        request = make_mocked_request("POST", route.path, headers=headers, payload=_Payload(body))
        answer = await route.handler(request, ANYONE)
    assert answer.status in (200, 400)


class _Payload:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def readany(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def at_eof(self) -> bool:
        return not self._body
