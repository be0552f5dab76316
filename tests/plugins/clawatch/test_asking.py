"""Queries are read strictly, with words for whoever mistyped."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from clawatch_plugins.clawatch import asking

from clawatch.domain.time import HOUR, parse_iso
from clawatch.ports import Invalid


def request(query: str) -> Any:
    return make_mocked_request("GET", f"/?{query}")


@pytest.mark.parametrize(
    ("query", "instant"),
    [
        ("from=2026-03-09T14:00:00Z", "2026-03-09T14:00:00Z"),
        ("from=2026-03-09T16:00:00%2B02:00", "2026-03-09T14:00:00Z"),
        ("from=2026-03-09T16:00:00+02:00", "2026-03-09T14:00:00Z"),
        ("from=2026-03-09T16:00:00+0200", "2026-03-09T14:00:00Z"),
        ("from=2026-03-09 14:00", "2026-03-09T14:00:00Z"),
        ("from=2026-03-09", "2026-03-09T00:00:00Z"),
    ],
)
def test_instants_are_read_in_the_ways_people_write_them(query: str, instant: str) -> None:
    assert asking.instant_of(request(query.replace(" ", "%20")), "from") == parse_iso(instant)


@pytest.mark.parametrize("text", ["x", "14:00", "1773064800", "-1", "2026-02-30", "1960-01-01", "%00", "9" * 500])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^from: "):
        asking.instant_of(request(f"from={text}"), "from")


def test_an_empty_parameter_is_an_absent_one() -> None:
    assert asking.bounds_of(request("from=&to=")) == (None, None)
    assert asking.text_of(request("q="), "q") is None


@pytest.mark.parametrize("text", ["0", "-1", "1001", "1.5", "x", "١", "9" * 30])
def test_a_limit_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^limit: "):
        asking.number_of(request(f"limit={text}"), "limit", 10, 1000)


def test_a_wait_is_cut_to_the_longest() -> None:
    assert asking.seconds_of(request("wait=1e9"), "wait", 60) == 60
    assert asking.seconds_of(request("wait=inf"), "wait", 60) == 60
    assert asking.seconds_of(request(""), "wait", 60) == 0


@pytest.mark.parametrize("text", ["", "5", "1x", "0s", "401d", "9" * 400 + "d", "1h "])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^duration: "):
        asking.duration_in("duration", text)


def test_a_duration() -> None:
    assert asking.duration_in("duration", "1h30m") == HOUR * 3 // 2
