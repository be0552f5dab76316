"""How long ago something was heard, the times left out in which nobody could have been."""

from __future__ import annotations

from clawatch.domain.downtime import Downtime
from clawatch.domain.time import Moment

NOW = Moment(wall=10_000, mono=500)


def test_what_was_heard_before_an_absence_is_younger_by_it() -> None:
    away = Downtime.until(NOW.wall, [(9_000, 10_000)])
    assert away.heard_at(8_900, NOW) == NOW.mono - 100


def test_an_absence_before_it_does_not_count() -> None:
    away = Downtime.until(NOW.wall, [(2_000, 3_000)])
    assert away.heard_at(9_900, NOW) == NOW.mono - 100


def test_nothing_is_heard_in_the_future() -> None:
    assert Downtime(60_000).heard_at(9_900, NOW) == NOW.mono
    assert NOW.mono_at(99_999) == NOW.mono
