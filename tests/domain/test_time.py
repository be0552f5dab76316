"""Instants as text."""

from __future__ import annotations

import pytest

from clawatch.domain.time import iso, parse_iso


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_the_first_and_the_last_instant_are_read_and_written(text: str) -> None:
    assert iso(parse_iso(text)) == text


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
def test_an_instant_that_could_not_be_written_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="1970"):
        parse_iso(text)
