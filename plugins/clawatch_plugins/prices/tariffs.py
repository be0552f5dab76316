"""Tariffs: unit prices of a model as whole numbers, so that sums are exact and quick."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from clawatch.domain.events import Usage
from clawatch.domain.money import Nanos
from clawatch_plugins.prices.settings import ModelPrice

_PER_MILLION = 1_000_000_000
"""Femto-dollars per token for one dollar per million tokens; every published price is a whole number of them."""
_FEMTOS_PER_NANO = 1_000_000


class Tariff(Struct, frozen=True):
    """Femto-dollars per token. ``above``: the tariff for requests with more input than so many tokens."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int = 0
    """What is kept for an hour."""
    above: tuple[tuple[int, Tariff], ...] = ()
    """Highest threshold first."""


class PerMillion(Struct, frozen=True):
    """Dollars per million tokens; None: nothing is said. Cached tokens then cost as input."""

    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None


def tariff(prices: PerMillion, above: tuple[tuple[int, Tariff], ...] = ()) -> Tariff:
    """The prices as unit prices."""
    write = prices.input if prices.cache_write is None else prices.cache_write
    return Tariff(
        _unit(prices.input),
        _unit(prices.output),
        _unit(prices.input if prices.cache_read is None else prices.cache_read),
        _unit(write),
        _unit(write if prices.cache_write_1h is None else prices.cache_write_1h),
        above,
    )


def set_tariff(price: ModelPrice) -> Tariff:
    """The tariff an operator has set."""
    amounts = (price.input, price.output, price.cache_read, price.cache_write)
    return tariff(PerMillion(*(None if amount is None else Decimal(str(amount)) for amount in amounts)))


def price(usage: Usage, tariff: Tariff) -> Nanos:
    """What the usage costs. Its ``input`` includes cached tokens."""
    unit = next((higher for start, higher in tariff.above if usage.input > start), tariff)
    plain = max(0, usage.input - usage.cache_read - usage.cache_write)
    for_an_hour = min(usage.cache_write_1h, usage.cache_write)
    femtos = (
        plain * unit.input
        + usage.output * unit.output
        + usage.cache_read * unit.cache_read
        + (usage.cache_write - for_an_hour) * unit.cache_write
        + for_an_hour * unit.cache_write_1h
    )
    return (femtos + _FEMTOS_PER_NANO // 2) // _FEMTOS_PER_NANO


def _unit(dollars: Decimal | None) -> int:
    return 0 if dollars is None else int((dollars * _PER_MILLION).to_integral_value())
