"""Words for people: what agents wrote, made fit for one line; counts and durations written out."""

from __future__ import annotations

from hashlib import blake2b

from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis

_UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))


def one_line(text: str, limit: int = 80) -> str:
    """At most ``limit`` printable characters on one line; what is left out shows as ``…``."""
    shown = "".join(c if c.isprintable() else " " for c in text[: limit * 4])
    line = " ".join(shown.split())
    if len(line) <= limit and len(text) <= limit * 4:
        return line
    return line[: limit - 1].rstrip() + "…"


def count_of(number: int, noun: str) -> str:
    """``1 error``, ``4 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def write_out(duration: Millis) -> str:
    """A duration in words, its two largest units: ``5 minutes``, ``1 hour 30 minutes``."""
    parts: list[str] = []
    rest = max(0, duration)
    for unit, noun in _UNITS:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(count_of(count, noun))
    return " ".join(parts[:2]) or f"{duration} milliseconds"


def short_name(name: str, limit: int = 60) -> str:
    """A foreign name as it is where it is short and printable, else its beginning and a hash that tells it apart."""
    if len(name) <= limit and name.isprintable():
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    return f"{one_line(name, limit - 11)}~{digest}"
