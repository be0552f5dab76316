"""OpenTelemetry records as plain values, and how they are read from an OTLP/HTTP body. Public.

Vocabularies get these records: attributes are plain Python values (str, bool, int, float, list, dict, None),
instants are milliseconds, trace and span ids are lower-case hex. Many clients write booleans and numbers as
strings; coercing them by key is the vocabulary's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from clawatch.apis.pace import Pace
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis
from clawatch.ports import Invalid

Attributes = dict[str, Any]

MAX_RECORDS = 20_000
"""Records in one body. Exporters batch some 512."""


LOG_RANK, SPAN_RANK, METRIC_RANK = 3, 2, 1
"""The usual ``Event.rank`` of usage: logs before spans before metrics; a client may be otherwise."""


class BadTelemetry(Invalid):
    """The body is no OTLP export request of that signal and encoding."""


class OtlpSignal(StrEnum):
    """The signals of OTLP/HTTP by the last word of their path."""

    LOGS = "logs"
    METRICS = "metrics"
    TRACES = "traces"


class Encoding(StrEnum):
    """The media types of OTLP/HTTP."""

    JSON = "application/json"
    PROTOBUF = "application/x-protobuf"


class LogRecord(Struct, frozen=True, gc=False, kw_only=True):
    resource: Attributes
    scope: str
    name: str
    """The attribute ``event.name``, else the record's own event name; may be empty."""
    at: Millis
    """When it happened, else when it was observed; 0 when neither is told."""
    attributes: Attributes
    body: Any = None
    severity: int = 0
    trace_id: str = ""
    span_id: str = ""
    nanos: int = 0
    """``at`` as it was told, which tells records of one millisecond apart."""


class MetricPoint(Struct, frozen=True, gc=False, kw_only=True):
    resource: Attributes
    scope: str
    name: str
    kind: str
    """``sum``, ``gauge``, ``histogram``, ``exponential_histogram`` or ``summary``."""
    at: Millis
    started: Millis
    """Start of the interval (delta) or of the count (cumulative); 0 when not told."""
    value: float
    """The number; of histograms and summaries the sum."""
    attributes: Attributes
    count: int = 1
    """How many measurements a histogram or summary holds."""
    is_cumulative: bool = False
    is_monotonic: bool = False
    unit: str = ""

    @property
    def series(self) -> str:
        """Names the series: resource, scope, metric and attributes, hashed."""
        return hash_value([self.resource, self.scope, self.name, self.attributes])


class SpanEvent(Struct, frozen=True, gc=False):
    name: str
    at: Millis
    attributes: Attributes


class SpanRecord(Struct, frozen=True, gc=False, kw_only=True):
    resource: Attributes
    scope: str
    name: str
    started: Millis
    at: Millis
    """When it ended; spans are told at their end only."""
    attributes: Mapping[str, Any]
    """Read when they are first asked for: most spans are passed over by their name."""
    trace_id: str
    span_id: str
    parent_id: str = ""
    kind: int = 0
    is_error: bool = False
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()


Record = LogRecord | MetricPoint | SpanRecord


def plain(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """All attributes, read: what looks at many of them is quicker so."""
    found: Mapping[str, Any] = getattr(attributes, "all", attributes)
    return found


class Item(NamedTuple):
    """A log record, metric or span as it came, with the resource and the scope it came under."""

    resource: Any
    scope: str
    message: Any


def decode(body: bytes | bytearray, signal: OtlpSignal, encoding: Encoding) -> list[Record]:
    """The records of an export request, in order. Raises BadTelemetry for anything else, and nothing but that."""
    return [record for record in _records(body, signal, encoding) if record is not None]


async def decode_in_turns(body: bytes | bytearray, signal: OtlpSignal, encoding: Encoding) -> list[Record]:
    """As ``decode``, giving way to others in between: a body of 4 MB takes a good while."""
    pace = Pace()
    records: list[Record] = []
    for record in _records(body, signal, encoding):
        if record is not None:
            records.append(record)
        await pace.step()
    return records


def _records(body: bytes | bytearray, signal: OtlpSignal, encoding: Encoding) -> Iterator[Record | None]:
    from clawatch.apis import otlp_json, otlp_protobuf, otlp_records

    wire = otlp_json if encoding is Encoding.JSON else otlp_protobuf
    try:
        yield from otlp_records.read(wire.items(bytes(body), signal), signal, wire.FORM)
    except RecursionError:
        raise BadTelemetry("the body is nested too deeply") from None
