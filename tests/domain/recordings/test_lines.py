from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.recordings import BadLine, EndLine, Header, LineReader, StepLine, TickLine, ndjson
from clawatch.domain.recordings.lines import MAX_LINE

NODE = "4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"
HEADER = b'{"kind":"recording","node_id":"' + NODE.encode() + b'"}'
LINES = [HEADER, b'{"kind":"tick","tick":0}', b'{"kind":"step","tick":0,"agent_id":"a"}', b'{"kind":"end"}']


def read(*pieces: bytes, first: int = 1) -> list[tuple[int, Any]]:
    reader = LineReader(first)
    found = [tuple(one) for piece in pieces for one in reader.feed(piece)]
    return found + [tuple(one) for one in reader.end()]


@given(st.data())
def test_lines_are_whole_however_the_body_is_cut(data: st.DataObject) -> None:
    body = b"\n".join(LINES)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)))))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(*pieces) == read(body)
    assert [type(line) for _, line in read(body)] == [Header, TickLine, StepLine, EndLine]


def test_lines_are_numbered_as_the_sender_counts() -> None:
    body = b"\xef\xbb\xbf" + b"\r\n".join([LINES[0], b"", LINES[1], b"   ", LINES[3]]) + b"\n\n"
    assert [number for number, _ in read(body)] == [1, 3, 5]
    assert [number for number, _ in read(LINES[1] + b"\n" + LINES[2], first=17)] == [17, 18]


def test_what_is_wide_or_a_little_deep_is_taken() -> None:
    wide, deep = json.dumps({"x": [[n] for n in range(500)]}), json.dumps({"x": "[" * 60 + "{" * 60})
    nested = '{"x":' + "[" * 48 + "]" * 48 + "}"
    for state in (wide, deep, nested):
        [(_, line)] = read(b'{"kind":"step","tick":0,"agent_id":"a","state":' + state.encode() + b"}")
        assert line.state == json.loads(state)


@pytest.mark.parametrize(("text", "why"), [
    ("{", "not valid JSON"), ("[]", "Expected `object`"), ('{"tick":1}', "its kind must be one of"),
    ('{"kind":"nonsense"}', "its kind must be one of"), ('{"kind":"tick"}', "missing required field `tick`"),
    ('{"kind":"tick","tick":-1}', ">= 0"), ('{"kind":"tick","tick":1.5}', "Expected `int`"),
    ('{"kind":"tick","tick":1000000}', "<= 100000"), ('{"kind":"tick","tick":0,"metrics":{"m":"x"}}', "$.metrics"),
    ('{"kind":"tick","tick":0,"metrics":{"m":NaN}}', "not valid JSON"),
    ('{"kind":"tick","tick":0,"metrics":{"m":1e999}}', "out of range"),
    ('{"kind":"tick","tick":0,"metrics":{"m":' + "9" * 400 + "}}", "$.metrics"),
    ('{"kind":"event","tick":0,"type":"x","impact_score":' + "9" * 400 + "}", "$.impact_score"),
    ('{"kind":"tick","tick":0,"world_state":{"m":' + "9" * 5000 + "}}", "out of range"),
    ('{"kind":"step","tick":0,"agent_id":""}', "agent_id"), ('{"kind":"step","tick":0,"agent_id":7}', "agent_id"),
    ('{"kind":"recording","node_id":"x","keyframe_interval":0}', ">= 1"),
    ('{"kind":"step","tick":0,"agent_id":"a","state":{"x":' + "[" * 5000 + "]" * 5000 + "}}", "nested too deeply"),
    ('{"kind":"step","tick":0,"agent_id":"a","state":{"x":' + "[" * 60 + "]" * 60 + "}}", "nested too deeply"),
    ('{"kind":"end","aggregates":{"x":' + '{"y":' * 900 + "1" + "}" * 900 + "}}", "nested too deeply"),
    ('{"kind":"tick","tick":0,"world_state":{"x":"\ud800"}}', "not valid JSON"),
])  # fmt: skip
def test_a_bad_line_is_named_by_its_number(text: str, why: str) -> None:
    body = HEADER + b"\n" + text.encode("utf-8", "surrogatepass") + b"\n" + LINES[3]
    with pytest.raises(BadLine) as raised:
        read(body)
    assert raised.value.number == 2
    assert str(raised.value).startswith("line 2: ")
    assert why in raised.value.why


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_line_has_an_end(is_ended: bool) -> None:
    reader = LineReader()
    with pytest.raises(BadLine, match="longer than"):
        for _ in range(2 + MAX_LINE // 65536):
            list(reader.feed(b"x" * 65536))
        list(reader.feed(b"\n") if is_ended else reader.end())


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        read(body)
    except BadLine as bad:
        assert bad.number >= 1


def test_lines_are_written_as_they_are_read() -> None:
    lines = [line for _, line in read(b"\n".join(LINES))]
    assert [line for _, line in read(ndjson(lines))] == lines
    assert json.loads(ndjson(lines).splitlines()[0])["kind"] == "recording"
