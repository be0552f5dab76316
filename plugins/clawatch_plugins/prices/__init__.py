"""Prices: what tokens cost where the client does not say, by the embedded tables of genai-prices."""

from __future__ import annotations

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, Enricher
from clawatch_plugins.prices.enricher import open_prices
from clawatch_plugins.prices.settings import PricesSettings


@hookimpl
def register_enrichers() -> list[Contribution[Enricher]]:
    return [Contribution("prices", PricesSettings, open_prices)]
