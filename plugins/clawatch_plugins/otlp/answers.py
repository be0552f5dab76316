"""What exporters are answered, in the encoding they spoke
(https://opentelemetry.io/docs/specs/otlp/#otlphttp-response)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from clawatch.apis.envelopes import writable
from clawatch.apis.routes import Problem
from clawatch.apis.telemetry import Encoding, OtlpSignal

_REJECTED = {
    OtlpSignal.LOGS: "rejectedLogRecords",
    OtlpSignal.METRICS: "rejectedDataPoints",
    OtlpSignal.TRACES: "rejectedSpans",
}
_UNKNOWN, _INVALID = 2, 3
_CODES = {401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 429: 8, 503: 14}
"""HTTP statuses as gRPC codes (google.rpc.Code)."""


def accepted(signal: OtlpSignal, encoding: Encoding, rejected: int = 0, why: str = "") -> web.Response:
    """The export response; with a partial success when some records were rejected, which are not to be sent again."""
    if encoding is Encoding.JSON:
        partial = {"partialSuccess": {_REJECTED[signal]: str(rejected), "errorMessage": writable(why)}}
        return _response(msgspec.json.encode(partial if rejected else {}), encoding)
    if not rejected:
        return _response(b"", encoding)
    partial_success = _int_field(1, rejected) + _bytes_field(2, writable(why).encode())
    return _response(_bytes_field(1, partial_success), encoding)


def refusal(problem: Problem, encoding: Encoding = Encoding.JSON) -> web.Response:
    """A refusal as google.rpc.Status: ``{code, message}``."""
    code = _CODES.get(problem.status, _UNKNOWN if problem.status >= 500 else _INVALID)
    message = writable(problem.message)
    if encoding is Encoding.JSON:
        body = msgspec.json.encode({"code": code, "message": message})
    else:
        body = _int_field(1, code) + _bytes_field(2, message.encode())
    return _response(body, encoding, problem.status, problem.headers)


def _response(
    body: bytes, encoding: Encoding, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type=encoding)


# Three messages of two fields each: not worth importing protobuf for.


def _int_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
