from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.recordings.numbers import (
    MISSING,
    Column,
    pack_column,
    pack_numbers,
    unpack_column,
    unpack_group,
)
from clawatch.domain.recordings.recording import pack_binary, unpack_binary

decimals = st.integers(0, 6).flatmap(lambda d: st.integers(-(10**9), 10**9).map(lambda k: k / 10**d))
floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**53), 2**53)
numbers = st.one_of(decimals, floats, integers)
words = st.one_of(st.none(), st.booleans(), st.text(), st.lists(st.integers(0, 9)), st.integers(2**54, 2**80))
values = st.one_of(numbers, words, st.just(MISSING))


@given(st.lists(st.lists(numbers, max_size=8), max_size=8))
def test_every_group_of_numbers_comes_back_as_it_was(groups: list[list[float]]) -> None:
    packed = pack_numbers(groups)
    counts = [len(group) for group in groups]
    assert [unpack_group(packed, counts, place) for place in range(len(groups))] == groups


@given(st.lists(st.lists(integers, max_size=8), max_size=8))
def test_integers_stay_integers(groups: list[list[int]]) -> None:
    packed = pack_numbers(groups)
    counts = [len(group) for group in groups]
    found = [unpack_group(packed, counts, place) for place in range(len(groups))]
    assert all(type(value) is int for group in found for value in group)


@settings(max_examples=200)
@given(st.lists(st.lists(values, max_size=8), max_size=8))
def test_every_group_of_a_column_comes_back_as_it_was(groups: list[list[Any]]) -> None:
    packed = unpack_binary(pack_binary(pack_column(groups)), Column)
    counts = [len(group) for group in groups]
    found = [unpack_column(packed, counts, place) for place in range(len(groups))]
    assert found == groups
    kinds = [[type(value) for value in group if isinstance(value, (bool, str, type(None)))] for group in groups]
    assert kinds == [[type(v) for v in group if isinstance(v, (bool, str, type(None)))] for group in found]


@pytest.mark.parametrize(("group", "largest"), [
    ([round(0.5 + n / 1000, 3) for n in range(1000)], 1100), ([n * 7 for n in range(1000)], 1100),
    ([round(0.5 + (-1) ** n * n / 10_000, 4) for n in range(1000)], 2100),
])  # fmt: skip
def test_what_changes_little_takes_few_bytes(group: list[float], largest: int) -> None:
    assert len(pack_numbers([group]).planes) < largest


def test_a_number_that_no_decimals_give_back_is_kept_as_it_is() -> None:
    third = [1 / 3, 2 / 3, 1e300, 5e-324]
    assert unpack_group(pack_numbers([third]), [4], 0) == third
