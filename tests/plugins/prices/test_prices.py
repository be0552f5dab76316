"""Costs are filled in where a client leaves them out, and never invented."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.prices.enricher import Prices, open_prices
from clawatch_plugins.prices.settings import PricesSettings
from genai_prices import Usage as CatalogueUsage
from genai_prices import calc_price
from msgspec.structs import replace
from pydantic import ValidationError

from clawatch.domain.events import Counter, Event, EventType, Signal, Usage
from clawatch.domain.money import Nanos
from clawatch.domain.time import parse_iso

AT = parse_iso("2026-11-20T12:00:00Z")


def cost(prices: Prices, model: str, **used: Any) -> Nanos | None:
    at = used.pop("at", AT)
    enriched = prices.enrich(Event(agent_id="a", type=EventType.COST, at=at, usage=Usage(model=model, **used)))
    assert enriched.usage is not None
    return enriched.usage.cost


@pytest.fixture
def prices() -> Prices:
    return Prices(PricesSettings())


def test_it_agrees_with_what_claude_code_said_of_the_same_call(prices: Prices) -> None:
    used = {"input": 1201 + 5000 + 300, "output": 42, "cache_read": 5000, "cache_write": 300}
    assert cost(prices, "claude-opus-5-5", **used) == 8_144_000
    assert cost(prices, "claude-opus-5-5", provider="anthropic", **used) == 8_144_000


@pytest.mark.parametrize(("for_an_hour", "dollars"), [(0, 5), (1_000_000, 8), (400_000, 6.2), (9_000_000, 8)])
def test_what_is_cached_for_an_hour_costs_more(prices: Prices, for_an_hour: int, dollars: float) -> None:
    used = {"input": 1_000_000, "cache_write": 1_000_000, "cache_write_1h": for_an_hour}
    assert cost(prices, "claude-opus-5-5", **used) == dollars * 10**9
    assert cost(prices, "gpt-5.1", **used) == 1_250_000_000, "where the catalogue makes no difference"


@pytest.mark.parametrize("model", ["gpt-5.1", "gpt-4o-mini-2024-07-18", "gemini-2.5-pro", "claude-sonnet-4-5"])
@pytest.mark.parametrize("input", [10, 150_000, 200_000, 200_001, 900_000])
def test_it_agrees_with_the_catalogue_on_every_tier(prices: Prices, model: str, input: int) -> None:
    used = CatalogueUsage(input_tokens=input, output_tokens=321, cache_read_tokens=input // 3)
    expected = calc_price(used, model).total_price
    priced = cost(prices, model, input=input, output=321, cache_read=input // 3)
    assert priced is not None and abs(priced - expected * 10**9) <= 1


@pytest.mark.parametrize("model", ["llama3.1:8b", "qwen3-coder", "", "nobody/knows", "x" * 10_000, "\x00"])
def test_an_unknown_model_has_no_cost_rather_than_none_at_all(prices: Prices, model: str) -> None:
    assert cost(prices, model, input=1000, output=10) is None


def test_a_model_on_one_s_own_machine_is_not_priced_as_a_hosted_one(prices: Prices) -> None:
    assert cost(prices, "gpt-4o", input=1000, output=10, provider="my-own-machine") is None


def test_providers_are_known_by_their_telemetry_names(prices: Prices) -> None:
    hosted = cost(prices, "gemini-2.5-pro", input=1000, output=10)
    assert cost(prices, "gemini-2.5-pro", input=1000, output=10, provider="gcp.vertex_ai") == hosted is not None


def test_a_cost_that_was_told_stands(prices: Prices) -> None:
    assert cost(prices, "claude-opus-5-5", input=1000, output=10, cost=5) == 5
    assert cost(prices, "claude-opus-5-5", input=1000, output=10, cost=0) == 0


def test_a_total_without_its_parts_cannot_be_priced(prices: Prices) -> None:
    assert cost(prices, "claude-opus-5-5", tokens=1000) is None
    assert prices.enrich(Event(agent_id="a", type=EventType.HEARTBEAT, at=AT)).usage is None


def test_the_operator_s_prices_go_first() -> None:
    prices = Prices(PricesSettings.model_validate({"overrides": {
        "llama3.1:8b": {"input": 0.1, "output": 0.2},
        "claude-opus-5-5": {"input": 1, "output": 2, "cache_read": 0.5, "cache_write": 3},
        "free": {"input": 0, "output": 0},
    }}))
    assert cost(prices, "llama3.1:8b", input=1_000_000, output=1_000_000, cache_read=500_000) == 300_000_000
    assert cost(prices, "claude-opus-5-5", input=10, output=1, cache_read=2, cache_write=3) == 5000 + 2000 + 1000 + 9000
    assert cost(prices, "free", input=10, output=1) == 0


@pytest.mark.parametrize("price", [{"input": -1, "output": 0}, {"input": 1}, {"input": float("nan"), "output": 0}])
def test_a_price_that_is_none_is_refused(price: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PricesSettings.model_validate({"overrides": {"m": price}})


def test_what_was_looked_up_is_kept_within_bounds(prices: Prices) -> None:
    for number in range(3_000):
        cost(prices, f"model-{number}", input=1)
    assert len(prices._catalogue._tariffs) <= 1024


async def test_it_opens_without_reading_the_catalogue() -> None:
    async with open_prices(PricesSettings(), None) as prices:  # type: ignore[arg-type]
        assert prices.enrich(Event(agent_id="a", type=EventType.HEARTBEAT, at=AT)).usage is None


def metric(value: int, measure: str, **fields: Any) -> Event:
    counters = (Counter(series="s", started=7, value=value, measure=measure),)
    return Event(
        agent_id="a", type=EventType.COST, at=AT, session_id="m", signal=Signal.METRIC,
        usage=Usage(model="gpt-4o-mini", **fields), counters=counters,
    )  # fmt: skip


def test_cumulative_tokens_get_a_cumulative_amount(prices: Prices) -> None:
    _, added = prices.enrich(metric(1000, "input")).counters
    assert (added.measure, added.started, added.value) == ("cost", 7, 150_000)


def test_what_tells_its_cost_itself_gets_no_other(prices: Prices) -> None:
    assert len(prices.enrich(metric(1000, "cost")).counters) == 1
    told = replace(metric(1000, "input"), usage=Usage(model="nobody-knows-it"))
    assert prices.enrich(told) is told


def test_many_small_requests_are_not_priced_as_one_large_one(prices: Prices) -> None:
    usage = Usage(model="gemini-2.5-pro", input=1_000_000)
    lump = Event(agent_id="a", type=EventType.COST, at=AT, signal=Signal.METRIC, usage=usage)
    single = replace(lump, signal=Signal.LOG)
    costs = [one.usage.cost for one in map(prices.enrich, (lump, single)) if one.usage is not None]
    assert costs == [1_250_000_000, 2_500_000_000]
