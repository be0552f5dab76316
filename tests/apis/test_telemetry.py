"""OTLP bodies become records, or a refusal; nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.attributes import count, dollars, flag, number, text
from clawatch.apis.telemetry import BadTelemetry, Encoding, LogRecord, MetricPoint, OtlpSignal, SpanRecord, decode
from clawatch.domain.hashing import hash_value

SAMPLES = Path(__file__).parents[1] / "samples" / "claude_code"
BODIES = sorted(SAMPLES.glob("*/otlp/*.body.*"))


def parts(file: Path) -> tuple[bytes, OtlpSignal, Encoding]:
    encoding = Encoding.PROTOBUF if file.suffix == ".pb" else Encoding.JSON
    return file.read_bytes(), OtlpSignal(file.name.split("_")[1].split(".")[0]), encoding


def logs(**record: Any) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def read(body: bytes, signal: OtlpSignal = OtlpSignal.LOGS) -> Any:
    (record,) = decode(body, signal, Encoding.JSON)
    return record


def test_ids_are_hex_in_json_and_bytes_in_protobuf() -> None:
    body, signal, _ = parts(SAMPLES / "cc_httpjson_apierror/otlp/001_traces.body.json")
    request, interaction = decode(body, signal, Encoding.JSON)
    assert isinstance(request, SpanRecord)
    assert (request.trace_id, request.span_id) == ("172ccc10bed8086e9fbc5e202964353d", "bf95bcef7eadf184")
    assert isinstance(interaction, SpanRecord)
    assert (request.parent_id, interaction.parent_id) == (interaction.span_id, "")
    assert (request.is_error, [event.at for event in request.events]) == (
        True, [1795175366314, 1795175366362, 1795175366410],
    )
    first = decode(*parts(SAMPLES / "cc_protobuf_toolfail/otlp/001_traces.body.pb"))[0]
    assert isinstance(first, SpanRecord)
    assert (first.trace_id, first.span_id) == ("db3a610b82a7a94c29b143147c2f37ba", "aa5710c28c4b4bbc")


def test_both_encodings_give_the_same_record() -> None:
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    body = (SAMPLES / "cc_httpjson_tool/otlp/001_logs.body.json").read_bytes()
    packed = Parse(body, ExportLogsServiceRequest()).SerializeToString()  # these logs bear no ids
    assert decode(body, OtlpSignal.LOGS, Encoding.JSON) == decode(packed, OtlpSignal.LOGS, Encoding.PROTOBUF)


def test_values_of_every_kind() -> None:
    values = {
        "string": {"stringValue": "x"}, "bool": {"boolValue": False}, "number": {"intValue": 7},
        "text": {"intValue": "-7"}, "double": {"doubleValue": 0.5}, "none": {}, "null": None,
        "list": {"arrayValue": {"values": [{"intValue": "1"}, {}]}}, "empty": {"arrayValue": {}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
        "bytes": {"bytesValue": "AAE="},
    }
    record = read(logs(attributes=[{"key": key, "value": value} for key, value in values.items()]))
    assert record.attributes == {
        "string": "x", "bool": False, "number": 7, "text": -7, "double": 0.5, "none": None, "null": None,
        "list": [1, None], "empty": [], "map": {"k": "v"}, "bytes": "AAE=",
    }


def test_a_log_is_named_by_its_attribute_before_its_own_name() -> None:
    assert read(logs(eventName="event src/x.rs:12")).name == "event src/x.rs:12"
    named = read(logs(eventName="x", attributes=[{"key": "event.name", "value": {"stringValue": "user_prompt"}}]))
    assert named.name == "user_prompt"


@pytest.mark.parametrize("nanos", ["1795175355264000000", 1795175355264000000, 1.795175355264e18])
def test_times_come_as_strings_and_as_numbers(nanos: Any) -> None:
    assert read(logs(timeUnixNano=nanos)).at == 1795175355264
    assert read(logs(observedTimeUnixNano=nanos)).at == 1795175355264


def test_metrics_are_told_point_by_point() -> None:
    points = decode(*parts(SAMPLES / "cc_cumulative_slow7s/otlp/019_metrics.body.json"))
    cost = next(p for p in points if isinstance(p, MetricPoint) and p.name == "claude_code.cost.usage")
    assert (cost.value, cost.is_cumulative, cost.is_monotonic, cost.unit) == (0.016292, True, True, "USD")
    assert (cost.started, cost.at) == (1795177119354, 1795177126463)


def test_a_series_is_named_by_all_that_tells_it_apart() -> None:
    points = decode(*parts(SAMPLES / "cc_cumulative_slow7s/otlp/019_metrics.body.json"))
    earlier = decode(*parts(SAMPLES / "cc_cumulative_slow7s/otlp/011_metrics.body.json"))
    series = [point.series for point in points if isinstance(point, MetricPoint)]
    assert len(set(series)) == len(series)
    assert {point.series for point in earlier if isinstance(point, MetricPoint)} <= set(series)


def test_of_a_histogram_the_sum_and_the_count_are_kept() -> None:
    data = {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "dataPoints": [{"sum": 12, "count": "3"}]}
    metric = {"name": "gen_ai.client.token.usage", "histogram": data}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    point = read(body, OtlpSignal.METRICS)
    assert (point.value, point.count, point.kind, point.is_cumulative) == (12, 3, "histogram", True)


def test_numbers_that_are_none_may_be_written_in_words() -> None:
    metric = {"name": "m", "gauge": {"dataPoints": [{"asDouble": "NaN"}]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    assert math.isnan(read(body, OtlpSignal.METRICS).value)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"resourceLogs": 1}', b'{"resourceLogs": [{"scopeLogs": "x"}]}',
        logs(timeUnixNano="soon"), logs(timeUnixNano="1" * 5000), logs(timeUnixNano=[1]),
        logs(attributes=[{"key": 1, "value": {}}]), logs(severityNumber="1_0"), b"[" * 100_000,
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + b'{"arrayValue":{"values":[' * 20_000,
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1e999}]}]}]}',
    ],
)
def test_what_is_no_export_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadTelemetry):
        decode(body, OtlpSignal.LOGS, Encoding.JSON)


def test_deep_values_are_refused_or_read_but_never_break() -> None:
    for depth in (50, 150, 400, 900):
        deep = b'{"arrayValue":{"values":[' * depth + b'{"intValue":1}' + b"]}}" * depth
        body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + deep + b"}]}]}]}"
        try:
            decode(body, OtlpSignal.LOGS, Encoding.JSON)
        except BadTelemetry as error:
            assert "nested" in str(error)


def test_too_many_records_are_refused() -> None:
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b"{}," * 20_000 + b"{}]}]}]}"
    with pytest.raises(BadTelemetry, match="smaller batches"):
        decode(body, OtlpSignal.LOGS, Encoding.JSON)


def test_an_empty_request_has_no_records() -> None:
    assert decode(b"{}", OtlpSignal.TRACES, Encoding.JSON) == []
    assert decode(b"", OtlpSignal.TRACES, Encoding.PROTOBUF) == []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_broken_bodies_are_refused_or_read_but_never_break(file: Path, data: st.DataObject) -> None:
    body, signal, encoding = parts(file)
    broken = bytearray(body[: data.draw(st.integers(0, len(body)))] or body)
    for at in data.draw(st.lists(st.integers(0, len(broken) - 1), max_size=4)):
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        records = decode(bytes(broken), signal, encoding)
    except BadTelemetry:
        return
    assert all(isinstance(record, LogRecord | MetricPoint | SpanRecord) for record in records)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(OtlpSignal), st.sampled_from(Encoding))
def test_noise_is_refused_or_read_but_never_breaks(body: bytes, signal: OtlpSignal, encoding: Encoding) -> None:
    try:
        decode(body, signal, encoding)
    except BadTelemetry:
        return


def test_attributes_are_coerced_by_key() -> None:
    told = {"n": "36", "f": 0.25, "b": "true", "t": "x" * 5_000, "neg": -1, "flag": False, "word": "many", "e": ""}
    assert (count(told, "n"), number(told, "f"), flag(told, "b"), flag(told, "flag")) == (36, 0.25, True, False)
    assert (number(told, "neg"), number(told, "flag"), number(told, "word"), count(told, "gone")) == (None,) * 4
    assert (flag(told, "n"), text(told, "gone", "e", "n"), len(text(told, "t") or "")) == (None, "36", 2_000)
    assert (dollars("0.008144"), dollars(1e300), dollars(None)) == (8_144_000, None, None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
@settings(max_examples=60, deadline=None)
def test_hashes_do_not_depend_on_the_order_of_keys(value: Any) -> None:
    assert hash_value({"a": value, "b": 1}) == hash_value({"b": 1, "a": value})
    assert len(hash_value(value)) == 32


def test_hashes_take_whatever_comes() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert len({hash_value(odd) for odd in (deep, "\ud800", {1: 2}, object, {(1,): 2})}) == 5
