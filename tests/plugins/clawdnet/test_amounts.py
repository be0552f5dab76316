from __future__ import annotations

from decimal import Decimal

import pytest
from clawatch_plugins.clawdnet.amounts import is_amount, written
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 10**18))
def test_what_is_written_is_exactly_the_amount(amount: int) -> None:
    assert Decimal(written(amount)) == Decimal(amount) / 10**9


@pytest.mark.parametrize(("amount", "text"), [
    (0, "0.00"), (10**9, "1.00"), (2_450_000_000, "2.45"), (900_000_000, "0.90"), (1, "0.000000001"),
    (45_201_000_000, "45.201"),
])  # fmt: skip
def test_amounts_have_two_decimals_and_no_more_than_they_need(amount: int, text: str) -> None:
    assert written(amount) == text


@pytest.mark.parametrize("text", ["0.90", "2", "0.123456789", "999999999.999999999"])
def test_decimal_numbers_are_amounts(text: str) -> None:
    assert is_amount(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e3", " 1", "1\n", "1,5", "NaN", "1234567890", "٣"])
def test_everything_else_is_none(text: str) -> None:
    assert not is_amount(text)
