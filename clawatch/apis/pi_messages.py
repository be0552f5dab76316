"""Messages as pi's agent core writes them into transcripts: pi itself, and OpenClaw, which is built on it. Public."""

from __future__ import annotations

from clawatch.apis.attributes import count, dollars, text
from clawatch.apis.transcripts import Entry, table
from clawatch.domain.events import Usage

ENDS = frozenset({"stop", "length", "error", "aborted"})
"""An answer's ``stopReason`` with which its turn is over; with any other the agent goes on."""
_LONGEST_NAME = 200


def usage_of(message: Entry, fallback_model: str = "") -> Usage | None:
    """Usage of one model call; None where it used nothing. Its ``input`` leaves cached tokens out, ours does not.

    A cost of 0 for tokens that were used means that nobody knew their price, not that they were free.
    """
    told = table(message, "usage")
    cache_read, cache_write = count(told, "cacheRead") or 0, count(told, "cacheWrite") or 0
    given = (count(told, "input") or 0) + cache_read + cache_write
    output, stated = count(told, "output") or 0, count(told, "totalTokens") or 0
    cost = dollars(table(told, "cost").get("total")) or None
    if not given and not output and not stated and cost is None:
        return None
    return Usage(
        model=_name(message, "responseModel", "model") or fallback_model,
        cost=cost,
        input=given,
        output=output,
        cache_read=cache_read,
        cache_write=cache_write,
        tokens=stated if stated and not given and not output else None,
        provider=_name(message, "provider") or None,
    )


def _name(message: Entry, *keys: str) -> str:
    return (text(message, *keys) or "")[:_LONGEST_NAME]
