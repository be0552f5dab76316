"""From an OTLP export request, in either encoding, to records. One reader for both: the JSON messages bear
the protobuf messages' names, and a ``Form`` answers where the two differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from clawatch.apis.telemetry import (
    MAX_RECORDS,
    Attributes,
    BadTelemetry,
    LogRecord,
    MetricPoint,
    OtlpSignal,
    Record,
    SpanEvent,
    SpanRecord,
)
from clawatch.domain.time import Millis

_NANOS_PER_MILLI = 1_000_000
_MAX_DIGITS = 20
_VALUES = ("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value")
_DATA = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_NUMBERS = ("as_double", "as_int")
_CUMULATIVE = 2
_ERROR = 2
_ENUM_NAMES = {
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": _CUMULATIVE,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": _ERROR,
}
"""Not allowed in OTLP/JSON, yet written by some."""


class Form(Protocol):
    def which(self, message: Any, oneof: str, fields: tuple[str, ...]) -> str | None: ...
    def hex_id(self, value: Any) -> str: ...
    def bytes_text(self, value: Any) -> str: ...


def read(request: Any, signal: OtlpSignal, form: Form) -> list[Record]:
    """The request's records, in order. Raises BadTelemetry for numbers that are none, and for too many records."""
    records: list[Record] = []
    for record in _READERS[signal](request, form):
        records.append(record)
        if len(records) > MAX_RECORDS:
            raise BadTelemetry(f"more than {MAX_RECORDS} records in one body; export smaller batches")
    return records


def _logs(request: Any, form: Form) -> Iterator[Record]:
    for group in request.resource_logs or ():
        resource = _resource(group, form)
        for part in group.scope_logs or ():
            scope = _scope(part)
            for log in part.log_records or ():
                yield _log(log, resource, scope, form)


def _log(log: Any, resource: Attributes, scope: str, form: Form) -> LogRecord:
    attributes = _attributes(log.attributes, form)
    name = attributes.get("event.name")
    return LogRecord(
        resource=resource,
        scope=scope,
        name=name if isinstance(name, str) and name else log.event_name or "",
        at=_millis(log.time_unix_nano) or _millis(log.observed_time_unix_nano),
        attributes=attributes,
        body=_value(log.body, form),
        severity=_integer(log.severity_number),
        trace_id=form.hex_id(log.trace_id),
        span_id=form.hex_id(log.span_id),
    )


def _metrics(request: Any, form: Form) -> Iterator[Record]:
    for group in request.resource_metrics or ():
        resource = _resource(group, form)
        for part in group.scope_metrics or ():
            scope = _scope(part)
            for metric in part.metrics or ():
                yield from _points(metric, resource, scope, form)


def _points(metric: Any, resource: Attributes, scope: str, form: Form) -> Iterator[MetricPoint]:
    kind = form.which(metric, "data", _DATA)
    if kind is None:
        return
    data = getattr(metric, kind)
    is_cumulative = _integer(getattr(data, "aggregation_temporality", 0)) == _CUMULATIVE
    is_monotonic = bool(getattr(data, "is_monotonic", False))
    is_number = kind in ("gauge", "sum")
    for point in data.data_points or ():
        yield MetricPoint(
            resource=resource,
            scope=scope,
            name=metric.name or "",
            kind=kind,
            at=_millis(point.time_unix_nano),
            started=_millis(point.start_time_unix_nano),
            value=_point_value(point, form) if is_number else _float(point.sum),
            attributes=_attributes(point.attributes, form),
            count=1 if is_number else _integer(point.count),
            is_cumulative=is_cumulative,
            is_monotonic=is_monotonic,
            unit=metric.unit or "",
        )


def _point_value(point: Any, form: Form) -> float:
    field = form.which(point, "value", _NUMBERS)
    return 0.0 if field is None else _float(getattr(point, field))


def _spans(request: Any, form: Form) -> Iterator[Record]:
    for group in request.resource_spans or ():
        resource = _resource(group, form)
        for part in group.scope_spans or ():
            scope = _scope(part)
            for span in part.spans or ():
                yield _span(span, resource, scope, form)


def _span(span: Any, resource: Attributes, scope: str, form: Form) -> SpanRecord:
    status = span.status
    return SpanRecord(
        resource=resource,
        scope=scope,
        name=span.name or "",
        started=_millis(span.start_time_unix_nano),
        at=_millis(span.end_time_unix_nano),
        attributes=_attributes(span.attributes, form),
        trace_id=form.hex_id(span.trace_id),
        span_id=form.hex_id(span.span_id),
        parent_id=form.hex_id(span.parent_span_id),
        kind=_integer(span.kind),
        is_error=status is not None and _integer(status.code) == _ERROR,
        status_message=(status.message or "") if status is not None else "",
        events=tuple(
            SpanEvent(event.name or "", _millis(event.time_unix_nano), _attributes(event.attributes, form))
            for event in span.events or ()
        ),
    )


_READERS = {OtlpSignal.LOGS: _logs, OtlpSignal.METRICS: _metrics, OtlpSignal.TRACES: _spans}


def _resource(group: Any, form: Form) -> Attributes:
    return {} if group.resource is None else _attributes(group.resource.attributes, form)


def _scope(part: Any) -> str:
    return "" if part.scope is None else part.scope.name or ""


def _attributes(pairs: Iterable[Any] | None, form: Form) -> Attributes:
    return {pair.key: _value(pair.value, form) for pair in pairs or ()}


def _value(value: Any, form: Form) -> Any:
    field = None if value is None else form.which(value, "value", _VALUES)
    if field is None:
        return None
    content = getattr(value, field)
    match field:
        case "int_value":
            return _integer(content)
        case "double_value":
            return _float(content)
        case "array_value":
            return [_value(item, form) for item in content.values or ()]
        case "kvlist_value":
            return _attributes(content.values, form)
        case "bytes_value":
            return form.bytes_text(content)
        case _:
            return content


def _millis(nanos: int | float | str | None) -> Millis:
    return max(0, _integer(nanos) // _NANOS_PER_MILLI)


def _integer(number: int | float | str | None) -> int:
    if number is None:
        return 0
    if isinstance(number, str):
        return _ENUM_NAMES[number] if number in _ENUM_NAMES else _parse_integer(number)
    if isinstance(number, float) and not math.isfinite(number):
        raise BadTelemetry("a number is not finite")
    return int(number)


def _parse_integer(text: str) -> int:
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise BadTelemetry(f"{text[:40]!r} is not a 64-bit number")
    return int(text)


def _float(number: int | float | str | None) -> float:
    """NaN and infinities are allowed by the format; what they mean is the vocabulary's business."""
    try:
        return float(number or 0)
    except (ValueError, OverflowError):
        raise BadTelemetry(f"{str(number)[:40]!r} is not a number") from None
