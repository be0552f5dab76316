"""The YAML file: values, lines, variables and secret files."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.config.document import Document, read

ENVIRON = {"NAME": "value", "EMPTY": "", "HOSTILE": "a: [b\n- c", "NUMBER": "8787"}


@pytest.fixture
def reader(tmp_path: Path) -> Any:
    def read_text(text: str | bytes) -> Document:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return read(path, ENVIRON)

    return read_text


def said(document: Document) -> list[str]:
    return [str(problem).replace(document.name, "config.yaml") for problem in document.problems]


def test_every_value_has_its_line(reader: Any) -> None:
    document = reader("""\
        server:
          port: 1
        keys:
          - name: a
          - {name: b,
             user: c}
    """)
    assert document.lines[("server",)] == 1
    assert document.lines[("server", "port")] == 2
    assert document.lines[("keys", 0, "name")] == 4
    assert document.lines[("keys", 1)] == 5
    assert document.lines[("keys", 1, "user")] == 6


def test_scalars_are_those_of_yaml_1_2(reader: Any) -> None:
    document = reader("""\
        a: [1, -2, 1.5, 1e3, true, False, null, ~, "1", 'true']
        b: [no, on, 12:30, 2026-03-09, 0x1F, 1_000, .inf, +, "", x]
        c:
    """)
    assert document.values["a"] == [1, -2, 1.5, 1000.0, True, False, None, None, "1", "true"]
    assert document.values["b"] == ["no", "on", "12:30", "2026-03-09", "0x1F", "1_000", ".inf", "+", "", "x"]
    assert document.values["c"] is None
    assert not document.problems


@pytest.mark.parametrize(("written", "read_as"), [
    ("${NAME}", "value"),
    ('"a ${NAME} b ${NAME}"', "a value b value"),
    ("${MISSING:-}", ""),
    ("${MISSING:-some default}", "some default"),
    ("${EMPTY}", ""),
    ("${EMPTY:-default}", "default"),
    ("${NUMBER}", "8787"),
    ("$${NAME}", "${NAME}"),
    ("'costs $5 and $x'", "costs $5 and $x"),
    ('"${HOSTILE}"', "a: [b\n- c"),
    ("${HOSTILE}", "a: [b\n- c"),
])
def test_variables_are_replaced_in_parsed_scalars(reader: Any, written: str, read_as: str) -> None:
    document = reader(f"x: {written}\n")
    assert document.values == {"x": read_as}
    assert not document.problems


def test_a_variable_that_is_not_set_is_told_with_its_line(reader: Any) -> None:
    document = reader("""\
        a: 1
        b: ["${MISSING}"]
        c: ${1}
    """)
    assert said(document) == [
        ("config.yaml:2 b[0]: the environment variable MISSING is not set; "
         "set it, or write ${MISSING:-} where it may be missing"),
        "config.yaml:3 c: has a ${ that names no variable; write ${NAME} or ${NAME:-default}, and $${ for a literal ${",
    ]


def test_a_file_is_read_without_its_last_newline(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("s3cret ${NAME}\n\n")
    document = reader("a: !file value\nb: !file ${NAME}\nc: !file '${MISSING:-value}'\n")
    assert set(document.values.values()) == {"s3cret ${NAME}\n"}
    assert not document.problems


def test_a_file_that_cannot_be_read_is_told(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")
    document = reader("a: !file nowhere\nb: !file latin\nc: !file ${MISSING}/x\n")
    assert said(document) == [
        "config.yaml:1 a: cannot read the file nowhere: No such file or directory",
        "config.yaml:2 b: the file latin is not UTF-8 text",
        ("config.yaml:3 c: the environment variable MISSING is not set; "
         "set it, or write ${MISSING:-} where it may be missing"),
    ]


def test_what_came_from_outside_is_not_shown_in_messages(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    document = reader("a: !file secret\nb: ${NAME}\n")
    problem = document.problem(("a",), "hunter2 and value are wrong")
    assert problem.message == "… and … are wrong"


def test_a_key_that_is_there_twice_is_an_error(reader: Any) -> None:
    document = reader("a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert said(document) == [
        "config.yaml:2 b.c: is there twice, first on line 2; keep one of them",
        "config.yaml:3 a: is there twice, first on line 1; keep one of them",
    ]
    assert document.values == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize(("text", "message"), [
    ("- a\n- b\n", "config.yaml:1: must be a mapping of keys to values"),
    ("a: [1\n", "config.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'"),
    ("a: !secret x\n", "config.yaml:1 a: has the tag !secret; the only one there is is !file, before a path"),
    ("a: !!python/object/apply:os.system [id]\n", "the only one there is is !file"),
    ("a: !file [x]\n", "has the tag !file"),
    ("? [a, b]\n: c\n", "has a key that is not plain text"),
    (b"a: \xff\n", "config.yaml: is not UTF-8"),
    ("a: \x07\n", "config.yaml: is not YAML: it holds a character that YAML does not allow"),
    ("a: 1\n---\nb: 2\n", "is not YAML: but found another document"),
    ("a: *b\n", "config.yaml:1: is not YAML: found undefined alias 'b'"),
    ("a: &a [*a]\n", "is nested too deeply, or repeats itself by aliases too often"),
    ("a: " + "[" * 5000, "is nested too deeply"),
])
def test_what_is_no_configuration_is_told_in_one_line(reader: Any, text: str | bytes, message: str) -> None:
    [only] = said(reader(text))
    assert message in only


def test_aliases_cannot_blow_up(reader: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    document = reader("\n".join(lines))
    assert "repeats itself by aliases too often" in said(document)[0]


def test_an_empty_file_is_a_configuration(reader: Any) -> None:
    for text in ("", "# nothing\n", "null\n", "---\n"):
        document = reader(text)
        assert (document.values, document.problems) == ({}, ())


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    [problem] = read(tmp_path / "none.yaml", {}).problems
    assert str(problem) == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="ab:-[]{}&*!?|>'\"#,%@` \n\t$", max_size=40)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_never_raises(tmp_path: Path, text: bytes | str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    document = read(path, {})
    assert isinstance(document.values, dict)
