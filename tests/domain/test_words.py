"""Words for people."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.domain.words import count_of, one_line, short_name, write_out


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (5 * MINUTE, "5 minutes"),
        (MINUTE, "1 minute"),
        (90 * SECOND, "1 minute 30 seconds"),
        (HOUR + 1, "1 hour"),
        (2 * DAY + 3 * HOUR + 4 * MINUTE, "2 days 3 hours"),
        (250, "250 milliseconds"),
    ],
)
def test_a_duration_is_written_out(duration: int, words: str) -> None:
    assert write_out(duration) == words


def test_counts_know_their_plural() -> None:
    assert [count_of(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


@settings(max_examples=100)
@given(st.text(max_size=400), st.integers(2, 80))
def test_a_line_is_printable_and_short(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


def test_what_fits_is_kept_and_what_does_not_is_marked() -> None:
    assert one_line("plain words") == "plain words"
    assert one_line("two\nlines\x1b[31m") == "two lines [31m"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
    assert one_line(" " * 1000 + "far away", 10) == "…"


@settings(max_examples=100)
@given(st.text(max_size=200), st.text(max_size=200))
def test_short_names_stay_apart(one: str, other: str) -> None:
    assert (short_name(one) == short_name(other)) == (one == other)
    assert len(short_name(one)) <= 60
    assert short_name(one).isprintable()
