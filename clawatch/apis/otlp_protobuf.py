"""OTLP/protobuf, by the generated messages of ``opentelemetry-proto`` (imported at first use).

The three export requests are built alike: groups by resource, parts by scope, items. The outer levels are walked
here, so that no more than one item is parsed in one go.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from clawatch.apis.telemetry import MAX_RECORDS, BadTelemetry, Item, OtlpSignal

Span = tuple[int, int]
"""Where a field's content begins and ends."""
Parse = Callable[[bytes], Any]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_HEAD, _INNER = 1, 2
"""At every level: what describes it (resource, scope), and what it holds."""


class ProtobufForm:
    """How the reader asks a protobuf message."""

    def which(self, message: Any, oneof: str, fields: tuple[str, ...]) -> str | None:
        """The field of a oneof that is set."""
        found: str | None = message.WhichOneof(oneof)
        return found

    def hex_id(self, value: bytes) -> str:
        """A trace or span id as lower-case hex; empty when it is none."""
        return value.hex() if len(value) in (8, 16) else ""

    def bytes_text(self, value: bytes) -> str:
        """Bytes as base64."""
        return b64encode(value).decode()


FORM = ProtobufForm()


def items(body: bytes, signal: OtlpSignal) -> Iterator[Item | None]:
    """The request's items, each with its resource and scope; None between groups. Raises BadTelemetry."""
    from google.protobuf.message import DecodeError

    try:
        yield from _items(body, *_parsers(signal))
    except (DecodeError, ValueError, IndexError):
        raise BadTelemetry("the body is no OTLP/protobuf export request") from None


def _items(body: bytes, resource_of: Parse, scope_of: Parse, item_of: Parse) -> Iterator[Item | None]:
    for _, group in _fields(body, (0, len(body)), inner=1):
        yield None
        heads, parts = _level(body, group)
        resource = resource_of(body[slice(*heads[-1])]) if heads else None
        for part in parts:
            yield None
            heads, found = _level(body, part)
            scope = scope_of(body[slice(*heads[-1])]).name if heads else ""
            for start, end in found:
                yield Item(resource, scope, item_of(body[start:end]))


def _level(body: bytes, bounds: Span) -> tuple[list[Span], list[Span]]:
    """What describes a message, and what it holds; in whatever order they stand."""
    heads: list[Span] = []
    inner: list[Span] = []
    for number, span in _fields(body, bounds):
        (heads if number == _HEAD else inner).append(span)
    return heads, inner


def _fields(body: bytes, bounds: Span, inner: int = _INNER) -> Iterator[tuple[int, Span]]:
    """The fields up to ``inner``, all of which are messages; others are passed over."""
    at, end = bounds
    seen = 0
    while at < end:
        tag, at = _varint(body, at)
        wire, number = tag & 7, tag >> 3
        seen += 1
        if seen > MAX_RECORDS:
            raise BadTelemetry(f"more than {MAX_RECORDS} records in one body; export smaller batches")
        if wire == _BYTES:
            size, at = _varint(body, at)
            if at + size > end:
                raise ValueError
            if 0 < number <= inner:
                yield number, (at, at + size)
            at += size
        else:
            at = _passed(body, at, wire)
    if at != end:
        raise ValueError


def _passed(body: bytes, at: int, wire: int) -> int:
    if wire == _VARINT:
        return _varint(body, at)[1]
    if wire == _FIXED64:
        return at + 8
    if wire == _FIXED32:
        return at + 4
    raise ValueError


def _varint(body: bytes, at: int) -> tuple[int, int]:
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while shift < 64:
        at += 1
        byte = body[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7
    raise ValueError


@lru_cache
def _parsers(signal: OtlpSignal) -> tuple[Parse, Parse, Parse]:
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    item: dict[OtlpSignal, Parse] = {
        OtlpSignal.LOGS: LogRecord.FromString, OtlpSignal.METRICS: Metric.FromString,
        OtlpSignal.TRACES: Span.FromString,
    }  # fmt: skip
    return Resource.FromString, InstrumentationScope.FromString, item[signal]
