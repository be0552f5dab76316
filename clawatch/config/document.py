"""Reads the YAML file: plain values, and for each of them the line it stands on.

Numbers, true, false and null are read as YAML 1.2 does (``no`` and ``12:30`` are text). ``${X}`` is replaced in
parsed scalars and ``!file PATH`` reads a file, so nothing that comes from outside can change the structure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clawatch.config.problems import Place, Problem, say_place

_VARIABLE = re.compile(r"\$(\$\{|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\{)")
_INT = re.compile(r"[-+]?\d{1,4000}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None,
          "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DEFAULT_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))
_MAX_NODES = 100_000
_MAX_DEPTH = 50
_MAX_SECRET_FILE = 1_000_000
_SHORTEST_HIDDEN = 4

COMMAND_LINE = 0
"""Stands for the line of a value that an option of the command line gave."""


@dataclass(frozen=True)
class Document:
    """The values of a configuration, and where each came from."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)
    unread: frozenset[Place] = frozenset()
    """Scalars that could not be made out; one problem each is enough."""
    hidden: frozenset[str] = frozenset()
    """What came from the environment and from files: never shown in a message."""
    problems: tuple[Problem, ...] = ()

    def problem(self, place: Place, message: str) -> Problem:
        """A mistake at ``place``, or as near to it as the file goes."""
        for value in self.hidden:
            message = message.replace(value, "…")
        known = next((place[:size] for size in range(len(place), 0, -1) if place[:size] in self.lines), None)
        line = None if known is None else self.lines[known]
        if line == COMMAND_LINE:
            return Problem("command line", None, say_place(place), message)
        return Problem(self.name, line, say_place(place), message)

    def with_options(self, options: Mapping[str, Any]) -> Document:
        """The document with what the command line says laid over it."""
        lines = dict(self.lines)
        values = _overlaid(self.values, options, (), lines)
        return Document(self.name, values, lines, self.unread, self.hidden, self.problems)


def _overlaid(values: dict[str, Any], options: Mapping[str, Any], place: Place, lines: dict[Place, int]) -> Any:
    result = dict(values)
    for key, option in options.items():
        known = result.get(key)
        if isinstance(option, Mapping):
            result[key] = _overlaid(known if isinstance(known, dict) else {}, option, (*place, key), lines)
        else:
            result[key] = option
            lines[(*place, key)] = COMMAND_LINE
    return result


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """The file's values, with everything that is wrong about its form in ``problems``. Never raises."""
    name = str(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError) as error:
        return Document(name, problems=(_unreadable(name, error),))
    reading = _Reading(name, path.parent, environ)
    values = {} if root is None or _is_null(root) else reading.value(root, ())
    if not isinstance(values, dict):
        reading.complain(root, (), "must be a mapping of keys to values")
        values = {}
    return Document(
        name, values, reading.lines, frozenset(reading.unread), frozenset(reading.hidden), tuple(reading.problems)
    )


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _unreadable(name: str, error: Exception) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        words = error.problem or error.context or "not understood"
        return Problem(name, mark.line + 1 if mark else None, "", f"is not YAML: {words}")
    if isinstance(error, yaml.YAMLError):
        return Problem(name, None, "", "is not YAML: it holds a character that YAML does not allow")
    if isinstance(error, OSError):
        return Problem(name, None, "", f"cannot be read: {error.strerror}")
    if isinstance(error, RecursionError):
        return Problem(name, None, "", "is nested too deeply")
    return Problem(name, None, "", "is not UTF-8; save it in that encoding")


class _Reading:
    """One walk over the nodes of a file."""

    def __init__(self, name: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.lines: dict[Place, int] = {}
        self.unread: set[Place] = set()
        self.hidden: set[str] = set()
        self.problems: list[Problem] = []
        self._name = name
        self._folder = folder
        self._environ = environ
        self._nodes = 0

    def complain(self, node: yaml.Node | None, place: Place, message: str) -> None:
        line = node.start_mark.line + 1 if node is not None else None
        self.problems.append(Problem(self._name, line, say_place(place), message))

    def give_up(self, node: yaml.Node, place: Place, message: str) -> None:
        """Complain, and let nobody judge what stands in the value's place."""
        self.complain(node, place, message)
        self.unread.add(place)

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(place) > _MAX_DEPTH:  # aliases can make a small file endless
            if not self.unread.intersection((place[:1], place)):
                self.give_up(node, place[:1], "is nested too deeply, or repeats itself by aliases too often")
            return None
        if node.tag not in _DEFAULT_TAGS and not (node.tag == "!file" and isinstance(node, yaml.ScalarNode)):
            self.give_up(node, place, f"has the tag {node.tag}; the only one there is is !file, before a path")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.complain(key_node, place, "has a key that is not plain text")
                continue
            key = key_node.value
            line = key_node.start_mark.line + 1
            if key in values:
                first = self.lines[(*place, key)]
                self.complain(key_node, (*place, key), f"is there twice, first on line {first}; keep one of them")
                continue
            self.lines[(*place, key)] = line
            values[key] = self.value(value_node, (*place, key))
        return values

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        if node.tag == "!file":
            return self._file(node, place)
        if node.style is None and "${" not in node.value:
            return _plain(node.value)
        return self._replaced(node, place)

    def _replaced(self, node: yaml.ScalarNode, place: Place) -> str:
        """The text with every ``${X}`` filled in."""

        def fill(match: re.Match[str]) -> str:
            if match[1] == "${":
                return "${"
            name, default = match[2], match[3]
            if name is None:
                self.give_up(node, place, "has a ${ that names no variable; write ${NAME} or ${NAME:-default}, "
                                           "and $${ for a literal ${")
                return ""
            value = self._environ.get(name)
            if value:
                self._hide(value)
                return value
            if value is None and default is None:
                self.give_up(node, place, f"the environment variable {name} is not set; "
                                           f"set it, or write ${{{name}:-}} where it may be missing")
            return default or ""

        return _VARIABLE.sub(fill, node.value)

    def _file(self, node: yaml.ScalarNode, place: Place) -> str:
        known = len(self.problems)
        path = Path(self._replaced(node, place)).expanduser()
        if len(self.problems) > known:
            return ""
        try:
            raw = (self._folder / path).read_bytes()[:_MAX_SECRET_FILE]
            text = raw.decode("utf-8")
        except OSError as error:
            self.give_up(node, place, f"cannot read the file {path}: {error.strerror}")
            return ""
        except UnicodeDecodeError:
            self.give_up(node, place, f"the file {path} is not UTF-8 text")
            return ""
        text = text.removesuffix("\n").removesuffix("\r")
        self._hide(text)
        return text

    def _hide(self, value: str) -> None:
        if len(value) >= _SHORTEST_HIDDEN:
            self.hidden.add(value)


def _plain(text: str) -> Any:
    """An unquoted scalar as YAML 1.2's core schema reads it."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
