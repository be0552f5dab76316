"""What is kept of large values."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.clawatch.cutting import cut, cut_argument, cut_text, is_deep, shrink
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(max_size=300), st.integers(min_value=2, max_value=100))
def test_a_cut_text_is_no_longer_than_allowed(text: str, limit: int) -> None:
    kept = cut_text(text, limit)
    assert len(kept) <= limit
    assert kept == text or (kept.endswith("…") and text.startswith(kept[:-1]))


def test_a_cut_falls_between_words() -> None:
    assert cut_text("one two three", 10) == "one two…"
    assert cut_text("onetwothree", 6) == "onetw…"


def test_a_secret_is_masked_before_the_cut_can_hide_half_of_it() -> None:
    secret = "sk-" + "a1B2c3D4" * 6
    kept = cut_argument("x" * 1_980 + " " + secret)
    assert "sk-" not in kept


@pytest.mark.parametrize("value", [None, True, 5, 0.5, "short", {"a": [1, 2]}, []])
def test_what_is_small_stays_as_it_is(value: Any) -> None:
    assert cut(value, 100) == value


def test_a_large_object_becomes_the_beginning_of_its_text() -> None:
    assert cut({"a": "x" * 100}, 20) == '{"a":"xxxxxxxxxxxxx…'


def test_data_keeps_its_keys_when_its_values_are_cut() -> None:
    smaller = shrink({"message": "m " * 10_000, "n": 5})
    assert smaller["n"] == 5
    assert len(smaller["message"]) <= 8_000


def test_depth_is_counted_through_lists_and_objects() -> None:
    assert not is_deep({"a": [{"b": 1}]}, 3)
    assert is_deep({"a": [{"b": 1}]}, 2)
