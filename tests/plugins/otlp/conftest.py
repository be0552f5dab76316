"""A whole daemon that exporters send to, and the recorded requests of real ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from clawatch.domain.agents import Agent
from clawatch.domain.time import Millis
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

SAMPLES = Path(__file__).parents[2] / "samples"
AFTER: Millis = 1_795_180_000_000
"""An instant after every sample."""
JSON, PROTOBUF = "application/json", "application/x-protobuf"


@dataclass
class Watcher:
    """A daemon, and what an exporter and a person see of it."""

    app: App
    session: ClientSession

    async def send(self, body: bytes, path: str, content_type: str, **headers: str) -> int:
        sent = {"Content-Type": content_type, **headers}
        async with self.session.post(path, data=BytesIO(body), headers=sent) as answer:
            await answer.read()
            return answer.status

    async def replay(self, file: Path, body: bytes | None = None) -> int:
        """A recorded request, with another body if need be; its answer's status."""
        told = json.loads(file.with_name(f"{file.name.partition('.')[0]}.headers.json").read_text())
        kept = {name: value for name, value in told["headers"].items() if name.lower() == "content-encoding"}
        content_type = JSON if ".json" in file.name else PROTOBUF
        return await self.send(file.read_bytes() if body is None else body, told["path"], content_type, **kept)

    async def otlp(self, signal: str, groups: list[dict[str, Any]]) -> int:
        """A request as JSON; ``groups`` are its resources."""
        name = {"logs": "resourceLogs", "metrics": "resourceMetrics", "traces": "resourceSpans"}[signal]
        return await self.send(json.dumps({name: groups}).encode(), f"/v1/{signal}", JSON)

    def agents(self) -> dict[str, Agent]:
        return {agent.id: agent for agent in self.app.daemon.fleet}

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as answer:
            assert answer.status == 200
            return await answer.json()

    async def stored(self) -> int:
        """How many rows the journal has."""
        return self.app.daemon.store.head


@asynccontextmanager
async def watching(config: Mapping[str, Any] | None = None, home: Path | None = None) -> AsyncIterator[Watcher]:
    """``home``: where its data is, when it is to be found again."""
    with TemporaryDirectory() as temporary:
        async with (
            run_app(home or Path(temporary), config, FakeClock(wall=AFTER)) as app,
            ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}, auto_decompress=False) as session,
        ):
            yield Watcher(app, session)


def bodies(folder: str) -> list[Path]:
    """A sample's recorded requests, in order of arrival."""
    return sorted((SAMPLES / folder / "otlp").glob("*.body.*"))


def attributes(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON writes them."""
    return [{"key": key, "value": _value(value)} for key, value in told.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}


def resource(**told: Any) -> dict[str, Any]:
    """``service_name="x"`` is ``service.name``."""
    return {"attributes": attributes({key.replace("_", "."): value for key, value in told.items()})}


def span(
    name: str, span_id: str, told: Mapping[str, Any], parent: str = "", trace: str = "a" * 32,
    at: Millis = AFTER - 1000, error: str | None = None,
) -> dict[str, Any]:
    status = {} if error is None else {"status": {"code": 2, "message": error}}
    return {
        "traceId": trace, "spanId": span_id.rjust(16, "0"), "parentSpanId": parent and parent.rjust(16, "0"),
        "name": name, "startTimeUnixNano": str((at - 10) * 10**6), "endTimeUnixNano": str(at * 10**6),
        "attributes": attributes(told), **status,
    }  # fmt: skip


def spans(found: list[dict[str, Any]], scope: str = "", **told: Any) -> list[dict[str, Any]]:
    return [{"resource": resource(**told), "scopeSpans": [{"scope": {"name": scope}, "spans": found}]}]


@pytest.fixture
def tools() -> SimpleNamespace:
    """What test modules share without importing one another."""
    return SimpleNamespace(
        watching=watching, bodies=bodies, span=span, spans=spans, resource=resource, attributes=attributes,
        after=AFTER, samples=SAMPLES,
    )


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    async with watching() as made:
        yield made
