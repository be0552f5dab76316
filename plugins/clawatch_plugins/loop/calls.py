"""One call, reduced to what can be compared."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from clawatch.domain.events import Event, EventType, Tool

_LONGEST_ERROR = 400
_LONGEST_NAME = 100
_VARYING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+")


class Basis(IntEnum):
    """What calls are compared by, from the strongest to the weakest."""

    RESULT = 0
    ARGUMENTS = 1
    SIZES = 2
    SIZE = 3
    NAME = 4

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Basis.RESULT: "the same arguments and result",
    Basis.ARGUMENTS: "the same arguments",
    Basis.SIZES: "arguments and results of the same sizes",
    Basis.SIZE: "arguments of the same size",
    Basis.NAME: "nothing known but the name",
}


class Failure(NamedTuple):
    """An error text without what varies in it: numbers, addresses, ids."""

    key: int
    is_bare: bool
    """One word, like ``ShellError``: a kind of error rather than a text."""


class Call(NamedTuple):
    seq: int
    name: str
    basis: Basis
    signature: int
    """Equal for calls that are the same as far as is known; calls known by name only are all different."""
    run: int
    """Which of its agent's runs it belongs to."""
    failure: Failure | None
    is_blocked: bool


def call_of(seq: int, tool: Tool, error: str | None, run: int) -> Call:
    basis = _basis(tool)
    outcome = tool.result_hash or tool.result_size or tool.ok
    match basis:
        case Basis.NAME:
            signature = hash((seq,))
        case Basis.SIZES | Basis.SIZE:
            signature = hash((tool.name, tool.args_size, tool.result_size, tool.ok))
        case _:
            signature = hash((tool.name, tool.args_hash, outcome))
    failure = failure_of(error) if error and tool.ok is False else None
    return Call(seq, tool.name[:_LONGEST_NAME], basis, signature, run, failure, tool.is_blocked)


def _basis(tool: Tool) -> Basis:
    if tool.args_hash is not None:
        return Basis.ARGUMENTS if tool.result_hash is None else Basis.RESULT
    if tool.args_size is not None:
        return Basis.SIZE if tool.result_size is None else Basis.SIZES
    return Basis.NAME


def failure_of(error: str) -> Failure:
    words = _VARYING.sub("#", error[:_LONGEST_ERROR].lower()).split()
    return Failure(hash(" ".join(words)), len(words) < 2)


def is_call(event: Event) -> bool:
    """Whether the event ends a call; one that a guard refuses ends where it starts."""
    return event.tool is not None and (event.is_finished_call or _is_refused(event))


def _is_refused(event: Event) -> bool:
    return event.type is EventType.TOOL_CALL and event.tool is not None and event.tool.is_blocked
