"""Filling: what a later report of the same call adds to the earlier one. Pure.

What the first report said stands; a later one completes what is still empty.
"""

from __future__ import annotations

from msgspec.structs import replace

from clawatch.domain.events import Event, Tool, Usage

_EVENT = ("error", "latency_ms", "revenue", "activity")
_TOOL = ("args_hash", "result_hash", "args_size", "result_size", "ok")
_TOKENS = ("input", "output", "cache_read", "cache_write", "tokens", "cache_write_1h")
_MOST_KEYS = 200
"""An event's data grows to about this many keys by being completed, however often that is tried."""


def fill(known: Event, later: Event) -> Event:
    """``known`` with its empty measures taken from ``later``; ``known`` itself when there is nothing to take."""
    changes: dict[str, object] = _missing(known, later, _EVENT)
    usage = _fill_usage(known.usage, later.usage)
    if usage is not known.usage:
        changes["usage"] = usage
        if known.usage is None:
            changes["rank"] = later.rank  # it is that signal's usage, and yields to a better one's
    tool = _fill_tool(known.tool, later.tool)
    if tool is not known.tool:
        changes["tool"] = tool
    if len(known.data) < _MOST_KEYS and not later.data.keys() <= known.data.keys():
        changes["data"] = {**later.data, **known.data}
    return replace(known, **changes) if changes else known


def _fill_usage(known: Usage | None, later: Usage | None) -> Usage | None:
    if known is None or later is None:
        return known or later
    changes: dict[str, object] = {}
    if known.cost is None and later.cost is not None:
        changes["cost"] = later.cost
    if known.total == 0 and later.total:
        changes |= {field: getattr(later, field) for field in _TOKENS}
    if not known.model and later.model:
        changes["model"] = later.model
    return replace(known, **changes) if changes else known


def _fill_tool(known: Tool | None, later: Tool | None) -> Tool | None:
    if known is None or later is None:
        return known or later
    changes = _missing(known, later, _TOOL)
    if later.is_blocked and not known.is_blocked:
        changes["is_blocked"] = True
    return replace(known, **changes) if changes else known


def _missing(known: object, later: object, fields: tuple[str, ...]) -> dict[str, object]:
    return {
        field: value
        for field in fields
        if getattr(known, field) is None and (value := getattr(later, field)) is not None
    }
