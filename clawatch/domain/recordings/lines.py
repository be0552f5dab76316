"""The lines of a recording: NDJSON, one object a line, told apart by ``kind``.

The first line is the ``recording``; ``agent``, ``tick``, ``step`` and ``event`` follow in any mixture, ticks in
ascending order; ``end`` is the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

MAX_LINE = 1024 * 1024
"""Bytes."""
MAX_TICK = 100_000
MAX_INTERVAL = 10_000
MAX_DEPTH = 50
"""Lists and objects within each other in a value. What is nested near the interpreter's limit cannot be read again."""
MAX_NAMES = 200
"""Metrics, segments and regions that a recording may name, of each."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=100_000)]
Tick = Annotated[int, Meta(ge=0, le=MAX_TICK)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Larger ones could not be reckoned with."""
Number = Whole | float | None
Names = Annotated[tuple[Name, ...], Meta(max_length=MAX_NAMES)]
Values = dict[Name, Number]
Parted = dict[Name, Values]
"""Metric → segment or region → value."""


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """What every line is. Unknown fields are passed over."""


class Header(Line, frozen=True, kw_only=True, omit_defaults=True, tag="recording"):
    node_id: Name
    """A UUID: what the recording is found by."""
    run_id: Annotated[str, Meta(max_length=200)] = ""
    """One node may be recorded run after run; one is made up when it is not given."""
    keyframe_interval: Annotated[int, Meta(ge=1, le=MAX_INTERVAL)] = 10
    metrics: Names = ()
    segments: Names = ()
    regions: Names = ()
    started_at: str | None = None
    """ISO 8601: when tick 0 was; with ``tick_seconds`` it dates every tick."""
    tick_seconds: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None


class Influence(Struct, frozen=True):
    type: Name
    impact: float


class AgentLine(Line, frozen=True, kw_only=True, omit_defaults=True, tag="agent"):
    agent_id: Name
    persona_id: Name | None = None
    persona_name: Name | None = None
    segment: Name | None = None
    region: Name | None = None
    initial_state: dict[Name, Any] = {}
    final_decision: Name | None = None
    """Left out, it is the agent's last action, and ``decision_tick`` that action's."""
    decision_tick: Tick | None = None
    key_influences: Annotated[tuple[Influence, ...], Meta(max_length=100)] = ()


class TickLine(Line, frozen=True, kw_only=True, omit_defaults=True, tag="tick"):
    """How things stand at a tick. A value that is left out is as it was before; null is unknown."""

    tick: Tick
    metrics: Values = {}
    by_segment: Parted = {}
    by_region: Parted = {}
    world_state: dict[Name, Any] = {}


class StepLine(Line, frozen=True, kw_only=True, omit_defaults=True, tag="step"):
    tick: Tick
    agent_id: Name
    state: dict[Name, Any] = {}
    action: Text | None = None
    reasoning: Text | None = None


class EventLine(Line, frozen=True, kw_only=True, omit_defaults=True, tag="event"):
    tick: Tick
    type: Name
    id: Annotated[str, Meta(max_length=200)] = ""
    source: Annotated[str, Meta(max_length=200)] | None = None
    description: Text | None = None
    affected_agents: Whole | None = None
    variable_changes: dict[Name, Any] = {}
    impact_score: Number = None


class EndLine(Line, frozen=True, kw_only=True, omit_defaults=True, tag="end"):
    aggregates: dict[Name, Any] = {}
    """What the recorder has reckoned; what it leaves out is derived."""


AnyLine = Header | AgentLine | TickLine | StepLine | EventLine | EndLine
_decode = msgspec.json.Decoder[Any](AnyLine).decode
_FIELDS: dict[type[Line], tuple[str, ...]] = {kind: kind.__struct_fields__ for kind in get_args(AnyLine)}
_BOM = b"\xef\xbb\xbf"


class BadLine(Exception):
    """A line that cannot be taken: its number, counted as the sender counts, and why."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number}: {why}")
        self.number = number
        self.why = why


class Numbered(NamedTuple):
    number: int
    line: AnyLine


class LineReader:
    """Lines out of pieces of a body, wherever those were cut."""

    def __init__(self, first: int = 1) -> None:
        self.next = first
        """Number of the next line."""
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Numbered]:
        """The lines that this piece completes; empty ones are counted and passed over. Raises BadLine."""
        rest = self._rest + piece
        *whole, self._rest = rest.split(b"\n")
        for text in whole:
            yield from self._line(text)
        if len(self._rest) > MAX_LINE:
            raise self._too_long()

    def end(self) -> Iterator[Numbered]:
        """The last line, if it has no line feed behind it. Raises BadLine."""
        text, self._rest = self._rest, b""
        if text:
            yield from self._line(text)

    def _line(self, text: bytes) -> Iterator[Numbered]:
        if len(text) > MAX_LINE:
            raise self._too_long()
        if self.next <= 1:
            text = text.removeprefix(_BOM)
        if text and not text.isspace():
            yield Numbered(self.next, _decoded(text, self.next))
        self.next += 1

    def _too_long(self) -> BadLine:
        return BadLine(self.next, f"it is longer than {MAX_LINE} bytes")


def _decoded(text: bytes, number: int) -> AnyLine:
    try:
        line: AnyLine = _decode(text)
    except msgspec.ValidationError as error:
        raise BadLine(number, _said(str(error))) from None
    except RecursionError:
        raise BadLine(number, "it is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise BadLine(number, f"it is not valid JSON: {error}") from None
    may_be_deep = text.count(b"{") + text.count(b"[") > MAX_DEPTH
    if may_be_deep and is_deep([getattr(line, name) for name in _FIELDS[type(line)]]):
        raise BadLine(number, f"it is nested too deeply: more than {MAX_DEPTH} lists and objects within each other")
    return line


def is_deep(value: Any) -> bool:
    """Whether there are more than ``MAX_DEPTH`` lists and objects within each other, the outermost not counted."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _said(error: str) -> str:
    if "`$.kind`" in error or "required field `kind`" in error:
        return "its kind must be one of: recording, agent, tick, step, event, end"
    return error


def ndjson(lines: Iterable[Line]) -> bytes:
    """Lines as they are read; for recorders within the daemon."""
    return msgspec.json.Encoder().encode_lines(lines)
