"""Tokens and money as OpenClaw tells them, in our terms."""

from __future__ import annotations

from clawatch.apis.attributes import dollars
from clawatch.domain.events import Usage
from clawatch_plugins.openclaw.reading import Told, table, whole, word


def usage_of(message: Told, fallback_model: str) -> Usage | None:
    """Usage of one model call; None where it used nothing. Its ``input`` leaves cached tokens out, ours does not.

    A cost of 0 for tokens that were used means that OpenClaw knows no price, not that they were free.
    """
    told = table(message, "usage")
    cache_read, cache_write = whole(told, "cacheRead"), whole(told, "cacheWrite")
    given = whole(told, "input") + cache_read + cache_write
    output = whole(told, "output")
    cost = dollars(table(told, "cost").get("total")) or None
    stated = whole(told, "totalTokens")
    if not given and not output and not stated and cost is None:
        return None
    return Usage(
        model=word(message, "responseModel", "model") or fallback_model,
        cost=cost,
        input=given,
        output=output,
        cache_read=cache_read,
        cache_write=cache_write,
        tokens=stated if stated and not given and not output else None,
        provider=word(message, "provider") or None,
    )
