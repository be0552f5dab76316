"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.limits import Buckets, counted_address
from clawatch.domain.time import MINUTE, SECOND
from clawatch.settings import RateLimit


def test_a_quiet_caller_may_do_all_at_once_and_then_waits_for_its_turn() -> None:
    buckets = Buckets(RateLimit(60, MINUTE))
    assert [buckets.take("a", 0) for _ in range(60)] == [0.0] * 60
    assert buckets.take("a", 0) == pytest.approx(1.0)
    assert buckets.left("a", 0) == 0
    assert buckets.take("a", SECOND - 1) > 0
    assert buckets.take("a", SECOND) == 0
    assert buckets.take("a", SECOND) > 0


def test_callers_do_not_share() -> None:
    buckets = Buckets(RateLimit(1, MINUTE))
    assert buckets.take("a", 0) == 0
    assert buckets.take("b", 0) == 0
    assert buckets.take("a", 0) > 0


def test_asking_does_not_count_and_a_refusal_does_not_either() -> None:
    buckets = Buckets(RateLimit(1, SECOND))
    assert buckets.wait("a", 0) == 0
    assert buckets.take("a", 0) == 0
    for _ in range(5):
        assert buckets.take("a", 500) == pytest.approx(0.5)
        assert buckets.wait("a", 500) == pytest.approx(0.5)
    assert buckets.take("a", SECOND) == 0


def test_the_number_of_callers_remembered_is_bounded_and_the_quietest_goes_first() -> None:
    buckets = Buckets(RateLimit(1, MINUTE), capacity=2)
    for who in ("a", "b", "c"):
        assert buckets.take(who, 0) == 0
    assert buckets.take("c", 0) > 0
    assert buckets.take("b", 0) > 0
    assert buckets.take("a", 0) == 0, "forgotten"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.lists(st.integers(0, 3 * SECOND), max_size=150))
def test_in_no_period_more_than_twice_the_rate_and_never_more_than_it_at_once(times: int, gaps: list[int]) -> None:
    buckets, mono, taken = Buckets(RateLimit(times, 10 * SECOND)), 0, []
    for gap in gaps:
        mono += gap
        left = buckets.left("a", mono)
        is_taken = buckets.take("a", mono) == 0
        assert is_taken == (left > 0)
        if is_taken:
            taken.append(mono)
    for start in taken:
        assert sum(start <= at < start + 10 * SECOND for at in taken) <= 2 * times
        assert taken.count(start) <= times


@pytest.mark.parametrize(("address", "counted"), [
    ("203.0.113.7", "203.0.113.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("", ""),
    ("rubbish", "rubbish"),
])
def test_one_ipv6_network_is_one_caller(address: str, counted: str) -> None:
    assert counted_address(address) == counted
