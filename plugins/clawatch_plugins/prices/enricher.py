"""The enricher: fills in the cost of usage that came without one. What nobody can price stays unknown, never 0."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from clawatch.domain.events import Counter, Event, Signal, Usage
from clawatch.domain.hashing import hash_value
from clawatch.ports import Core, Enricher
from clawatch_plugins.prices.catalogue import Catalogue
from clawatch_plugins.prices.settings import PricesSettings
from clawatch_plugins.prices.tariffs import Tariff, price, set_tariff

_TOKENS = frozenset({"input", "output", "cache_read", "cache_write"})


class Prices:
    def __init__(self, settings: PricesSettings) -> None:
        self._set = {model: set_tariff(price) for model, price in settings.overrides.items()}
        self._catalogue = Catalogue()

    def enrich(self, event: Event) -> Event:
        """See ``ports.Enricher``. Totals without their parts cannot be priced."""
        usage = event.usage
        if usage is None or usage.cost is not None or not usage.model:
            return event
        if not (usage.input or usage.output or event.counters):
            return event
        tariff = self._set.get(usage.model) or self._catalogue.find(usage.model, usage.provider, event.at)
        if tariff is None:
            return event
        if event.signal is Signal.METRIC:
            tariff = replace(tariff, above=())  # dearer requests cannot be told from many
        if event.counters:
            return _with_cost_counter(event, usage, tariff)
        return replace(event, usage=replace(usage, cost=price(usage, tariff)))


def _with_cost_counter(event: Event, usage: Usage, tariff: Tariff) -> Event:
    """Cumulative tokens are worth a cumulative amount; what it has grown by is the ledger's business, as with them."""
    if not _TOKENS.issuperset(counter.measure for counter in event.counters):
        return event
    sums = dict.fromkeys(_TOKENS, 0)
    for counter in event.counters:
        sums[counter.measure] += counter.value
    used = Usage(
        input=sums["input"], output=sums["output"], cache_read=sums["cache_read"], cache_write=sums["cache_write"]
    )
    cost = Counter(
        series=f"priced:{hash_value([event.agent_id, event.session_id, usage.model])}",
        started=min(counter.started for counter in event.counters),
        value=price(used, tariff),
        measure="cost",
    )
    return replace(event, counters=(*event.counters, cost))


@asynccontextmanager
async def open_prices(settings: PricesSettings, core: Core) -> AsyncIterator[Enricher]:
    yield Prices(settings)
