"""The embedded catalogue (genai-prices), read at first use: 1.6 MB that many a daemon never needs.

Looking a price up there takes some 70 µs for each call, so a model's tariff is kept. Prices that change with
the time of day or from a date on are kept for the hour they were looked up for.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clawatch.domain.time import HOUR, Millis
from clawatch_plugins.prices.tariffs import PerMillion, Tariff, tariff

_CAPACITY = 1024
_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
"""OpenTelemetry's ``gen_ai.provider.name`` where the catalogue's differs."""
_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")

Key = tuple[str, str | None, int]


class Catalogue:
    def __init__(self) -> None:
        self._tariffs: OrderedDict[Key, Tariff | None] = OrderedDict()

    def find(self, model: str, provider: str | None, at: Millis) -> Tariff | None:
        """The model's tariff at an instant; None when the catalogue does not know it."""
        key = (model, provider, at // HOUR)
        if key not in self._tariffs:
            self._tariffs[key] = _look_up(model, provider, at)
            if len(self._tariffs) > _CAPACITY:
                self._tariffs.popitem(last=False)
        return self._tariffs[key]


def _look_up(model: str, provider: str | None, at: Millis) -> Tariff | None:
    """By the provider where one is told: the same model may cost nothing on one's own machine."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, _provider(provider), None)
    except LookupError:
        return None
    return _tariff_of(found.get_prices(datetime.fromtimestamp(at / 1000, UTC)))


def _provider(name: str | None) -> str | None:
    if name is not None and name.startswith("gcp."):
        return "google"
    return None if name is None else _PROVIDERS.get(name, name)


def _tariff_of(prices: Any) -> Tariff | None:
    """None for models that are not priced by tokens at all; embeddings have no output, and no price for it."""
    told = [getattr(prices, key, None) for key in _KEYS]
    if told[0] is None and told[1] is None:
        return None
    starts = sorted({tier.start for price in told for tier in getattr(price, "tiers", ())}, reverse=True)
    above = tuple((start, tariff(PerMillion(*(_at_tier(price, start) for price in told)))) for start in starts)
    return tariff(PerMillion(*(getattr(price, "base", price) for price in told)), above)


def _at_tier(price: Any, start: int) -> Decimal | None:
    """The price of a request with more than ``start`` tokens of input."""
    chosen: Decimal | None = getattr(price, "base", price)
    for tier in getattr(price, "tiers", ()):
        if tier.start <= start:
            chosen = tier.price
    return chosen
