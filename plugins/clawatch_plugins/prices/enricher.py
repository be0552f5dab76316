"""The enricher: fills in the cost of usage that came without one. What nobody can price stays unknown, never 0."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from clawatch.domain.events import Event
from clawatch.ports import Core, Enricher
from clawatch_plugins.prices.catalogue import Catalogue
from clawatch_plugins.prices.settings import PricesSettings
from clawatch_plugins.prices.tariffs import price, set_tariff


class Prices:
    def __init__(self, settings: PricesSettings) -> None:
        self._set = {model: set_tariff(price) for model, price in settings.overrides.items()}
        self._catalogue = Catalogue()

    def enrich(self, event: Event) -> Event:
        """See ``ports.Enricher``. Totals without their parts cannot be priced."""
        usage = event.usage
        if usage is None or usage.cost is not None or not usage.model or not (usage.input or usage.output):
            return event
        tariff = self._set.get(usage.model) or self._catalogue.find(usage.model, usage.provider, event.at)
        if tariff is None:
            return event
        return replace(event, usage=replace(usage, cost=price(usage, tariff)))


@asynccontextmanager
async def open_prices(settings: PricesSettings, core: Core) -> AsyncIterator[Enricher]:
    yield Prices(settings)
