"""Prices set by the operator; they go before the embedded ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clawatch.settings import Settings

Price = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""USD per million tokens."""


class ModelPrice(Settings):
    """``input`` is of tokens that were not cached; cached ones cost the same where nothing is said."""

    input: Price
    output: Price
    cache_read: Price | None = None
    cache_write: Price | None = None


class PricesSettings(Settings):
    overrides: dict[str, ModelPrice] = Field(default_factory=dict)
    """By model."""
