"""What a request asks for: its query, read strictly, with words for whoever mistyped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar

from aiohttp import web
from msgspec import Meta

from clawatch.apis.routes import Param
from clawatch.domain.time import DAY, MINUTE, SECOND, Millis, parse_duration, parse_iso
from clawatch.ports import Invalid
from clawatch_plugins.clawatch.words import listed

T = TypeVar("T", bound=str)

MAX_LIMIT = 1_000
LONGEST: Millis = 400 * DAY
"""The longest duration that may be asked for."""
MAX_POINTS = 2_000
_LOST_PLUS = re.compile(r"(.*T.*) (\d\d:?\d\d)", re.DOTALL)

AGENT_ID = Param("agentId", "query", str, "of this agent only")
Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
FROM = Param("from", "query", Instant, "ISO 8601, inclusive")
TO = Param("to", "query", Instant, "ISO 8601, inclusive")
STEP = Param("step", "query", Annotated[str, Meta(pattern="^[1-9][0-9]{0,3}[mhd]$")], "whole minutes: 5m, 1h, 1d")
CURSOR = Param("cursor", "query", str, "`next` of the page before")
LIMIT = Param("limit", "query", Annotated[int, Meta(ge=1, le=MAX_LIMIT)], f"1 to {MAX_LIMIT}")


def text_of(request: web.Request, name: str) -> str | None:
    """The parameter; None when it is absent or empty."""
    return request.query.get(name) or None


def word_of(request: web.Request, name: str, known: Iterable[T]) -> T | None:
    text = text_of(request, name)
    return None if text is None else known_word(name, text, known)


def words_of(request: web.Request, name: str, known: Iterable[T]) -> tuple[T, ...]:
    """A list with commas."""
    text = text_of(request, name)
    return () if text is None else tuple(known_word(name, word.strip(), known) for word in text.split(","))


def known_word(name: str, word: str, known: Iterable[T]) -> T:
    for one in known:
        if one == word:
            return one
    raise Invalid(f"{name}: {word[:60]!r} is not known; use {listed(known)}")


def flag_of(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("1", "true", "yes")


def number_of(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number from 1 to ``most``."""
    text = text_of(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or not 1 <= int(text) <= most:
        raise Invalid(f"{name}: {text[:60]!r} is not a whole number from 1 to {most}")
    return int(text)


def seconds_of(request: web.Request, name: str, most: float) -> float:
    """Seconds to wait, at most ``most``; 0 when not asked for."""
    text = text_of(request, name)
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise Invalid(f"{name}: {(text or '')[:60]!r} is not a number of seconds")
    return min(seconds, most)


def instant_of(request: web.Request, name: str) -> Millis | None:
    text = text_of(request, name)
    if text is None:
        return None
    lost = _LOST_PLUS.fullmatch(text)  # a plus that was not escaped arrives as a space
    try:
        return parse_iso(f"{lost[1]}+{lost[2]}" if lost else text)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{name}: {text[:60]!r} is not an ISO 8601 date-time; write it like 2026-03-09T14:00:00Z"
        ) from None


def bounds_of(request: web.Request) -> tuple[Millis | None, Millis | None]:
    """``from`` and ``to``, both inclusive."""
    since, until = instant_of(request, "from"), instant_of(request, "to")
    if since is not None and until is not None and since > until:
        raise Invalid("from: lies after to")
    return since, until


def steps_of(request: web.Request, now: Millis) -> tuple[Millis, Millis, Millis]:
    """``from``, at the start of its step, ``to`` and ``step`` of a series; the last day by the hour if not told."""
    since, until = bounds_of(request)
    step = duration_in("step", text_of(request, "step") or "1h")
    if step % MINUTE:
        raise Invalid("step: must be whole minutes")
    until = now if until is None else until
    since = max(0, until - DAY) if since is None else since
    if since > until:
        raise Invalid("from: lies after to")
    since -= since % step
    if (until - since) // step >= MAX_POINTS:
        raise Invalid(f"step: too fine for this span; at most {MAX_POINTS} points are given")
    return since, until, step


def duration_in(name: str, text: str) -> Millis:
    try:
        duration = parse_duration(text)
    except (ValueError, OverflowError):
        raise Invalid(f"{name}: {text[:60]!r} is not a duration; write it like 90s, 5m, 1h or 30d") from None
    if not SECOND <= duration <= LONGEST:
        raise Invalid(f"{name}: must be from 1s to {LONGEST // DAY}d")
    return duration


def checked_texts(texts: Sequence[tuple[str, str]], most: int = 500) -> None:
    """Refuse texts that are too long to be meant."""
    for name, text in texts:
        if len(text) > most:
            raise Invalid(f"{name}: {len(text)} characters, at most {most} are allowed")
