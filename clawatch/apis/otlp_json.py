"""OTLP/JSON: the proto3 JSON mapping, except that trace and span ids are hex and enums are numbers.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Written by hand because ``json_format``
takes the hex ids for base64 and silently makes 24 bytes of them. Unknown keys are ignored, as the
specification asks; 64-bit numbers come as strings or as numbers.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from clawatch.apis.telemetry import BadTelemetry, Item, OtlpSignal

Number = int | float | str | None


class Wire(Struct, rename="camel", gc=False):
    """Named as the protobuf messages' fields, so that one reader reads both."""


class AnyValue(Wire):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: Number = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: str | None = None


class ArrayValue(Wire):
    values: list[AnyValue] | None = None


class KeyValue(Wire):
    key: str = ""
    value: AnyValue | None = None


class KeyValueList(Wire):
    values: list[KeyValue] | None = None


class Resource(Wire):
    attributes: list[KeyValue] | None = None


class Scope(Wire):
    name: str | None = None


class Log(Wire):
    time_unix_nano: Number = None
    observed_time_unix_nano: Number = None
    severity_number: Number = None
    event_name: str | None = None
    body: AnyValue | None = None
    attributes: list[KeyValue] | None = None
    trace_id: str | None = None
    span_id: str | None = None


class DataPoint(Wire):
    attributes: list[KeyValue] | None = None
    start_time_unix_nano: Number = None
    time_unix_nano: Number = None
    as_double: Number = None
    as_int: Number = None
    count: Number = None
    sum: Number = None


class Data(Wire):
    data_points: list[DataPoint] | None = None
    aggregation_temporality: Number = None
    is_monotonic: bool | None = None


class Metric(Wire):
    name: str | None = None
    unit: str | None = None
    gauge: Data | None = None
    sum: Data | None = None
    histogram: Data | None = None
    exponential_histogram: Data | None = None
    summary: Data | None = None


class SpanEvent(Wire):
    name: str | None = None
    time_unix_nano: Number = None
    attributes: list[KeyValue] | None = None


class Status(Wire):
    code: Number = None
    message: str | None = None


class Span(Wire):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: Number = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    attributes: list[KeyValue] | None = None
    events: list[SpanEvent] | None = None
    status: Status | None = None


class ScopeLogs(Wire):
    scope: Scope | None = None
    log_records: list[msgspec.Raw] | None = None


class ResourceLogs(Wire):
    resource: Resource | None = None
    scope_logs: list[ScopeLogs] | None = None


class Logs(Wire):
    resource_logs: list[ResourceLogs] | None = None


class ScopeMetrics(Wire):
    scope: Scope | None = None
    metrics: list[msgspec.Raw] | None = None


class ResourceMetrics(Wire):
    resource: Resource | None = None
    scope_metrics: list[ScopeMetrics] | None = None


class Metrics(Wire):
    resource_metrics: list[ResourceMetrics] | None = None


class ScopeSpans(Wire):
    scope: Scope | None = None
    spans: list[msgspec.Raw] | None = None


class ResourceSpans(Wire):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class Traces(Wire):
    resource_spans: list[ResourceSpans] | None = None


class Level(Struct, frozen=True):
    """How a signal's messages are called: the request's groups, their parts, and the items in those."""

    request: msgspec.json.Decoder[Any]
    groups: str
    parts: str
    items: str
    item: msgspec.json.Decoder[Any]


_LEVELS = {
    OtlpSignal.LOGS: Level(
        msgspec.json.Decoder(Logs), "resource_logs", "scope_logs", "log_records", msgspec.json.Decoder(Log)
    ),
    OtlpSignal.METRICS: Level(
        msgspec.json.Decoder(Metrics), "resource_metrics", "scope_metrics", "metrics", msgspec.json.Decoder(Metric)
    ),
    OtlpSignal.TRACES: Level(
        msgspec.json.Decoder(Traces), "resource_spans", "scope_spans", "spans", msgspec.json.Decoder(Span)
    ),
}
MAX_OBJECTS = 300_000
"""In one body, which bounds how long it is looked through in one go; 4 MB of the shortest attributes hold 240,000."""
_HEX = frozenset(string.hexdigits)


class JsonForm:
    """How the reader asks a JSON message."""

    def which(self, message: Any, oneof: str, fields: tuple[str, ...]) -> str | None:
        """The field of a oneof that is set."""
        return next((field for field in fields if getattr(message, field) is not None), None)

    def hex_id(self, value: str | None) -> str:
        """A trace or span id as lower-case hex; empty when it is none."""
        return value.lower() if value and len(value) <= 32 and _HEX.issuperset(value) else ""

    def bytes_text(self, value: str) -> str:
        """Bytes as base64."""
        return value


FORM = JsonForm()


def items(body: bytes, signal: OtlpSignal) -> Iterator[Item | None]:
    """The request's items, each with its resource and scope; None between groups.

    Raises BadTelemetry, or RecursionError when it is nested too deeply.
    """
    if body.count(b"{") > MAX_OBJECTS:
        raise BadTelemetry(f"more than {MAX_OBJECTS} objects in one body; export smaller batches")
    try:
        yield from _items(body, _LEVELS[signal])
    except UnicodeDecodeError:
        raise BadTelemetry("the body is not valid UTF-8") from None
    except (ValueError, OverflowError) as error:
        raise BadTelemetry(f"the body is no OTLP/JSON export request: {error}") from None


def _items(body: bytes, level: Level) -> Iterator[Item | None]:
    for group in getattr(level.request.decode(body), level.groups) or ():
        yield None
        for part in getattr(group, level.parts) or ():
            scope = "" if part.scope is None else part.scope.name or ""
            for raw in getattr(part, level.items) or ():
                yield Item(group.resource, scope, level.item.decode(raw))
