"""Tokens and money as Claude Code tells them, in our terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawatch.apis.attributes import MAX_COUNT, count, dollars, text
from clawatch.domain.events import Usage
from clawatch.domain.money import Nanos

PROVIDER = "anthropic"
_NANOS_PER_MICRO = 1_000


def model_of(attributes: Mapping[str, Any]) -> str:
    """The model without the context window that some versions append: ``claude-opus-4-8[1m]``."""
    return (text(attributes, "model", "gen_ai.request.model") or "").partition("[")[0]


def usage_of(attributes: Mapping[str, Any]) -> Usage | None:
    """Usage of one request; None when it tells none. Its ``input_tokens`` leave cached ones out, ours do not."""
    told = [count(attributes, key) for key in ("input_tokens", "output_tokens")]
    cost = _cost(attributes)
    if told == [None, None] and cost is None:
        return None
    cache_read = count(attributes, "cache_read_tokens") or 0
    cache_write = count(attributes, "cache_creation_tokens") or 0
    return Usage(
        model=model_of(attributes),
        cost=cost,
        input=(told[0] or 0) + cache_read + cache_write,
        output=told[1] or 0,
        cache_read=cache_read,
        cache_write=cache_write,
        provider=PROVIDER if attributes.get("anthropic.provider", "firstParty") == "firstParty" else None,
    )


def _cost(attributes: Mapping[str, Any]) -> Nanos | None:
    micros = count(attributes, "cost_usd_micros")
    if micros is not None and micros < MAX_COUNT:
        return micros * _NANOS_PER_MICRO
    return dollars(attributes.get("cost_usd"))
