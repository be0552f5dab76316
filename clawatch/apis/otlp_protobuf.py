"""OTLP/protobuf, by the generated messages of ``opentelemetry-proto`` (imported at first use)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from clawatch.apis.telemetry import BadTelemetry, OtlpSignal


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


def parse(body: bytes | bytearray, signal: OtlpSignal) -> Any:
    """The export request. Raises BadTelemetry."""
    from google.protobuf.message import DecodeError

    request = _request(signal)
    try:
        request.ParseFromString(bytes(body))
    except (DecodeError, ValueError):
        raise BadTelemetry("the body is no OTLP/protobuf export request") from None
    return request


def _request(signal: OtlpSignal) -> Any:
    match signal:
        case OtlpSignal.LOGS:
            from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

            return ExportLogsServiceRequest()
        case OtlpSignal.METRICS:
            from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

            return ExportMetricsServiceRequest()
        case OtlpSignal.TRACES:
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

            return ExportTraceServiceRequest()
