"""From an OTLP export request, in either encoding, to records. One reader for both: the JSON messages bear
the protobuf messages' names, and a ``Form`` answers where the two differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from clawatch.apis.telemetry import (
    MAX_RECORDS,
    Attributes,
    BadTelemetry,
    Item,
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
_LATEST: Millis = 2**53
"""No clock is that wrong, and every store can hold it."""
_VALUES = ("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value")
_DATA = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_NUMBERS = ("as_double", "as_int")
_CUMULATIVE = 2
_ERROR = 2
_NOTHING = object()
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


def read(items: Iterable[Item | None], signal: OtlpSignal, form: Form) -> Iterator[Record | None]:
    """The records in items, in order, and None as it comes.

    Raises BadTelemetry for numbers that are none, and for too many records.
    """
    reader = _READERS[signal]
    last: object = _NOTHING
    resource: Attributes = {}
    count = 0
    for item in items:
        if item is None:
            yield None
            continue
        if item.resource is not last:
            last, resource = item.resource, _resource(item.resource, form)
        for record in reader(item.message, resource, item.scope, form):
            count += 1
            if count > MAX_RECORDS:
                raise BadTelemetry(f"more than {MAX_RECORDS} records in one body; export smaller batches")
            yield record


def _log(log: Any, resource: Attributes, scope: str, form: Form) -> tuple[LogRecord]:
    attributes = _attributes(log.attributes, form)
    name = attributes.get("event.name")
    nanos = max(0, _integer(log.time_unix_nano)) or max(0, _integer(log.observed_time_unix_nano))
    record = LogRecord(
        resource=resource,
        scope=scope,
        name=name if isinstance(name, str) and name else log.event_name or "",
        at=min(nanos // _NANOS_PER_MILLI, _LATEST),
        attributes=attributes,
        body=_value(log.body, form),
        severity=_integer(log.severity_number),
        trace_id=form.hex_id(log.trace_id),
        span_id=form.hex_id(log.span_id),
        nanos=nanos,
    )
    return (record,)


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


def _span(span: Any, resource: Attributes, scope: str, form: Form) -> tuple[SpanRecord]:
    status = span.status
    record = SpanRecord(
        resource=resource,
        scope=scope,
        name=span.name or "",
        started=_millis(span.start_time_unix_nano),
        at=_millis(span.end_time_unix_nano),
        attributes=LazyAttributes(span.attributes, form),
        trace_id=form.hex_id(span.trace_id),
        span_id=form.hex_id(span.span_id),
        parent_id=form.hex_id(span.parent_span_id),
        kind=_integer(span.kind),
        is_error=status is not None and _integer(status.code) == _ERROR,
        status_message=(status.message or "") if status is not None else "",
        events=_span_events(span.events, form) if span.events else (),
    )
    return (record,)


def _span_events(events: Iterable[Any], form: Form) -> tuple[SpanEvent, ...]:
    return tuple(
        SpanEvent(event.name or "", _millis(event.time_unix_nano), _attributes(event.attributes, form))
        for event in events
    )


_Reader = Callable[[Any, Attributes, str, Form], Iterable[Record]]
_READERS: dict[OtlpSignal, _Reader] = {OtlpSignal.LOGS: _log, OtlpSignal.METRICS: _points, OtlpSignal.TRACES: _span}


class LazyAttributes(Mapping[str, Any]):
    """Attributes that are read when they are first asked for. A number that is none is None then."""

    __slots__ = ("_form", "_pairs", "_read")

    def __init__(self, pairs: Iterable[Any] | None, form: Form) -> None:
        self._pairs = pairs
        self._form = form
        self._read: Attributes | None = None

    @property
    def all(self) -> Attributes:
        """All of them, read."""
        if self._read is None:
            self._read = self._values()
            self._pairs = None
        return self._read

    def _values(self) -> Attributes:
        read: Attributes = {}
        for pair in self._pairs or ():
            try:
                read[pair.key] = _value(pair.value, self._form)
            except (BadTelemetry, RecursionError):
                read[pair.key] = None
        return read

    def get(self, key: str, default: Any = None) -> Any:
        return self.all.get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.all[key]

    def __contains__(self, key: object) -> bool:
        return key in self.all

    def __iter__(self) -> Iterator[str]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __repr__(self) -> str:
        return repr(self.all)


def _resource(message: Any, form: Form) -> Attributes:
    return {} if message is None else _attributes(message.attributes, form)


def _attributes(pairs: Iterable[Any] | None, form: Form) -> Attributes:
    return {pair.key: _value(pair.value, form) for pair in pairs or ()}


def _value(value: Any, form: Form) -> Any:
    field = None if value is None else form.which(value, "value", _VALUES)
    if field is None:
        return None
    content = getattr(value, field)
    match field:
        case "string_value" | "bool_value":
            return content
        case "int_value":
            return content if type(content) is int else _integer(content)
        case "double_value":
            return content if type(content) is float else _float(content)
        case "array_value":
            return [_value(item, form) for item in content.values or ()]
        case "kvlist_value":
            return _attributes(content.values, form)
        case _:
            return form.bytes_text(content)


def _millis(nanos: int | float | str | None) -> Millis:
    return min(max(0, _integer(nanos) // _NANOS_PER_MILLI), _LATEST)


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
