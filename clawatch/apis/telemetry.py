"""OpenTelemetry records as plain values, and how they are read from an OTLP/HTTP body. Public.

Vocabularies get these records: attributes are plain Python values (str, bool, int, float, list, dict, None),
instants are milliseconds, trace and span ids are lower-case hex. Many clients write booleans and numbers as
strings; coercing them by key is the vocabulary's business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from clawatch.domain.hashing import hash_value
from clawatch.domain.time import Millis
from clawatch.ports import Invalid

Attributes = dict[str, Any]

MAX_RECORDS = 20_000
"""Records in one body. Exporters batch some 512."""


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
    attributes: Attributes
    trace_id: str
    span_id: str
    parent_id: str = ""
    kind: int = 0
    is_error: bool = False
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()


Record = LogRecord | MetricPoint | SpanRecord


def decode(body: bytes | bytearray, signal: OtlpSignal, encoding: Encoding) -> list[Record]:
    """The records of an export request, in order. Raises BadTelemetry for anything else, and nothing but that."""
    from clawatch.apis import otlp_json, otlp_protobuf, otlp_records

    wire = otlp_json if encoding is Encoding.JSON else otlp_protobuf
    try:
        return otlp_records.read(wire.parse(body, signal), signal, wire.FORM)
    except RecursionError:
        raise BadTelemetry("the body is nested too deeply") from None
