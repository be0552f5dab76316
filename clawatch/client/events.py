"""Events on their way out: anything an agent hands over becomes one bounded line of plain JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from itertools import islice
from typing import Any

MAX_EVENT = 256 * 1024
"""Bytes of one event; the server takes 4 MiB a request. What is longer is told by its digest."""
_MAX_VALUE = 4 * 1024
_MAX_DEPTH = 20
_MAX_ITEMS = 1000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def timestamp() -> str:
    """Now, ISO 8601, UTC, milliseconds and ``Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(event: Mapping[str, Any]) -> bytes:
    """One line of NDJSON without its newline, at most MAX_EVENT bytes. Takes any value."""
    body = plain(event)
    line = _dumps(body)
    if len(line) <= MAX_EVENT:
        return line
    body["data"] = {key: _digested(value) for key, value in body.get("data", {}).items()}
    line = _dumps(body)
    if len(line) <= MAX_EVENT:
        return line
    body["data"] = {"message": "this event was too large to be sent", "bytes": len(line)}
    return _dumps(body)


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` in JSON's own types: a copy, finite, without lone surrogates, bounded in depth and width.

    Objects stand as their repr without memory addresses, so that equal arguments stay equal.
    """
    match value:
        case None | bool():
            return value
        case int():
            return int(value) if -(2**63) <= value < 2**63 else str(int(value))
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case str():
            return _text(value)
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "replace")
    if depth >= _MAX_DEPTH:
        return "…"
    return _composite(value, depth + 1)


def _composite(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth) for key, item in islice(value.items(), _MAX_ITEMS)}
    if isinstance(value, list | tuple):
        return [plain(item, depth) for item in value[:_MAX_ITEMS]]
    if isinstance(value, Set):
        return [plain(item, depth) for item in sorted(value, key=_repr)[:_MAX_ITEMS]]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name, None), depth) for field in dataclasses.fields(value)}
    return _repr(value)


def _key(key: Any) -> str:
    return _text(key) if isinstance(key, str) else str(plain(key, _MAX_DEPTH))


def _text(value: str) -> str:
    return str.__str__(value).encode("utf-8", "replace").decode("utf-8")


def _repr(value: Any) -> str:
    try:
        return _text(_ADDRESS.sub("", repr(value)))
    except Exception:  # a stranger's __repr__
        return f"<{type(value).__name__}>"


def say_error(error: BaseException) -> str:
    """An exception as one line: its type and what it says."""
    try:
        said = str(error)
    except Exception:  # a stranger's __str__
        said = ""
    return _text(f"{type(error).__name__}: {said}" if said else type(error).__name__)


def is_failure(error: BaseException) -> bool:
    """An interrupt, a cancellation or a clean exit is an end, not a failure."""
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return isinstance(error, Exception)


def where(error: BaseException) -> str | None:
    """File and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _digested(value: Any) -> Any:
    raw = _dumps(value)
    if len(raw) <= _MAX_VALUE:
        return value
    return {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
