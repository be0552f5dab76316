"""What a request asks for, read strictly: nobody gets other figures than those they meant."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from clawatch.apis.routes import Param
from clawatch.domain.recordings import Recording
from clawatch.domain.recordings.slices import Slice
from clawatch.ports import EventsWanted
from clawatch_plugins.agentverse.refusals import invalid, no_tick, out_of_range, unknown

MAX_VALUES = 200_000
"""Of one answer; more are had by ranges, or by the stream."""
MAX_LIMIT = 1000
MAX_CHUNK = 10_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")

METRICS = Param("metrics", "query", str, "names with commas; all when not given")
START = Param("start_tick", "query", int, "inclusive; 0")
END = Param("end_tick", "query", int, "inclusive; the last tick")
RESOLUTION = Param("resolution", "query", int, "every so many ticks; 1")
SEGMENTS = Param("segments", "query", str, "names with commas: the mean over these segments")
REGIONS = Param("regions", "query", str, "names with commas: the mean over these regions")
REASONING = Param("include_reasoning", "query", bool, "with the reasoning of each step")
RANGE = Param("tick_range", "query", str, "like 0-50, inclusive")
TYPE = Param("type", "query", str, "of this type only")
MIN_IMPACT = Param("min_impact", "query", float, "with at least this impact")
SKIP = Param("skip", "query", int, "how many to pass over; 0")
LIMIT = Param("limit", "query", int, f"1 to {MAX_LIMIT}; 50")
CHUNK = Param("chunk_size", "query", int, f"ticks to a chunk, 1 to {MAX_CHUNK}; 10")


class Span(NamedTuple):
    """Ticks, inclusive; ``last`` None: to the end."""

    first: int = 0
    last: int | None = None


def slice_of(request: web.Request, recording: Recording) -> Slice:
    last = recording.total_ticks
    start, end = _tick(request, "start_tick", 0, last), _tick(request, "end_tick", last, last)
    if start > end:
        raise invalid("start_tick", f"{start} lies behind end_tick {end}")
    resolution = _number(request, "resolution", 1, 1)
    where = Slice(
        first=start, last=end, resolution=resolution, metrics=metrics_of(request, recording),
        segments=_names(request, "segments", "segment", [part.name for part in recording.segments]),
        regions=_names(request, "regions", "region", [part.name for part in recording.regions]),
    )  # fmt: skip
    if where.size > MAX_VALUES:
        raise invalid("resolution", f"this would be more than {MAX_VALUES} values; ask for fewer, or for the stream")
    return where


def metrics_of(request: web.Request, recording: Recording) -> tuple[str, ...]:
    return _names(request, "metrics", "metric", recording.metrics) or recording.metrics


def keyframe_of(text: str, recording: Recording) -> int:
    if not _INTEGER.fullmatch(text):
        raise no_tick("tick", text)
    tick = int(text)
    if not 0 <= tick <= recording.total_ticks:
        raise out_of_range(tick, recording.total_ticks)
    return tick


def span_of(request: web.Request) -> Span:
    text = request.query.get("tick_range", "").strip()
    if not text:
        return Span()
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise invalid("tick_range", f"{text[:60]!r} is not a range of ticks like 0-50")
    return Span(int(match[1]), int(match[2]))


def flag_of(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "").strip().lower()
    if text not in (*_YES, *_NO):
        raise invalid(name, f"{text[:60]!r} is neither true nor false")
    return text in _YES


def events_of(request: web.Request) -> EventsWanted:
    span = span_of(request)
    return EventsWanted(
        type=request.query.get("type") or None, first=span.first, last=span.last, min_impact=_impact(request),
        skip=_number(request, "skip", 0, 0), limit=_number(request, "limit", 50, 1, MAX_LIMIT),
    )  # fmt: skip


def chunk_of(request: web.Request) -> int:
    return _number(request, "chunk_size", 10, 1, MAX_CHUNK)


def _impact(request: web.Request) -> float | None:
    text = request.query.get("min_impact")
    if not text:
        return None
    try:
        impact = float(text)
    except ValueError:
        impact = math.nan
    if not math.isfinite(impact):
        raise invalid("min_impact", f"{text[:60]!r} is not a number")
    return impact


def _tick(request: web.Request, name: str, default: int, last: int) -> int:
    text = request.query.get(name)
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        raise no_tick(name, text)
    if not 0 <= int(text) <= last:
        raise out_of_range(int(text), last)
    return int(text)


def _number(request: web.Request, name: str, default: int, least: int, most: int = 10**9) -> int:
    text = request.query.get(name)
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
        raise invalid(name, f"{text[:60]!r} is not a whole number from {least} to {most}")
    return int(text)


def _names(request: web.Request, name: str, what: str, known: Sequence[str]) -> tuple[str, ...]:
    """In the order they are asked for, each once; none when the parameter is not given."""
    given = dict.fromkeys(word.strip() for word in request.query.get(name, "").split(","))
    given.pop("", None)
    strange = [word for word in given if word not in known]
    if strange:
        raise unknown(what, strange[:10], known)
    return tuple(given)
