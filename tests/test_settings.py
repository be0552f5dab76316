"""Durations and rates as people write them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.settings import Duration, Rate, RateLimit, RuleSettings, Settings, settings_from_file


class Timed(Settings):
    after: Duration = 5 * MINUTE
    rate: Rate | None = None


def read(**values: Any) -> Timed:
    settings: Timed = settings_from_file(Timed, values)
    return settings


def complaint(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    [error] = caught.value.errors()
    return str(error["ctx"]["error"])


@pytest.mark.parametrize(("text", "millis"), [
    ("90s", 90 * SECOND), ("5m", 5 * MINUTE), (" 1h30m ", 90 * MINUTE), ("30d", 30 * DAY), ("0", 0), (0, 0),
    ("250ms", 250), ("1.5h", 90 * MINUTE),
])
def test_durations_are_read(text: object, millis: int) -> None:
    assert read(after=text).after == millis


@pytest.mark.parametrize(("text", "said"), [
    ("5 mins", '"5 mins" is not a duration; write 5m'),
    ("2 Hours", '"2 Hours" is not a duration; write 2h'),
    ("30 sec", '"30 sec" is not a duration; write 30s'),
    ("soon", '"soon" is not a duration; write it like 90s, 5m, 1h or 30d'),
    ("a long text that may be a secret", "is not a duration; write it like 90s, 5m, 1h or 30d"),
    ("", '"" is not a duration; write it like 90s, 5m, 1h or 30d'),
    ("5", '"5" is not a duration; write it like 90s, 5m, 1h or 30d'),
    (300, "300 has no unit; write 300s or 300m"),
    (-1, "is negative; write a duration like 90s, 5m, 1h or 30d"),
    (True, "is not a duration; write it like 90s, 5m, 1h or 30d"),
    (1.5, "is not a duration; write it like 90s, 5m, 1h or 30d"),
    ("9" * 400 + "d", "is not a duration; write it like 90s, 5m, 1h or 30d"),
    ("99999d", '"99999d" is longer than a hundred years; write something shorter'),
])
def test_what_is_no_duration_is_told_what_to_write(text: object, said: str) -> None:
    assert complaint(after=text) == said


def test_code_gives_durations_in_milliseconds() -> None:
    assert Timed(after=300).after == 300
    assert RuleSettings(for_=5).for_ == 5


@pytest.mark.parametrize(("text", "rate"), [
    ("10/s", RateLimit(10, SECOND)), ("600/m", RateLimit(600, MINUTE)), ("1 / h", RateLimit(1, HOUR)), (None, None),
])
def test_rates_are_read(text: object, rate: RateLimit | None) -> None:
    assert read(rate=text).rate == rate


@pytest.mark.parametrize("text", ["", "600", 600, "0/m", "-1/m", "1/y", "m/1", "9999999999/s", [1]])
def test_what_is_no_rate_is_told_what_to_write(text: object) -> None:
    assert complaint(rate=text).startswith("is not a rate; write it like 10/s, 600/m or 1000/h")


@given(st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.none(), st.booleans()))
def test_no_value_escapes_as_another_error(value: object) -> None:
    for key in ("after", "rate"):
        with contextlib.suppress(ValidationError):
            read(**{key: value})


def test_rule_settings_have_for_without_its_underscore() -> None:
    settings = settings_from_file(RuleSettings, {"for": "1m", "action": "pause"})
    assert (settings.for_, settings.action, settings.repeat) == (MINUTE, "pause", 4 * HOUR)
