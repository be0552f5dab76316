"""One wake at a time, however often the deadline moves."""

from __future__ import annotations

from clawatch.domain.time import Moment
from clawatch.domain.verdicts import Wake
from clawatch.domain.waking import Alarm

NOW = Moment(wall=5_000, mono=100)


def test_a_later_deadline_asks_for_no_further_wake() -> None:
    alarm = Alarm()
    assert alarm.set(200, NOW, "a", "s") == [Wake(mono=200, agent_id="a", subject="s")]
    assert alarm.set(300, NOW, "a", "s") == []


def test_an_earlier_deadline_takes_its_place() -> None:
    alarm = Alarm()
    first = alarm.set(200, NOW, "a")[0]
    earlier = alarm.set(150, NOW, "a")[0]
    assert not alarm.rings(first)
    assert alarm.rings(earlier)
    assert not alarm.rings(earlier)


def test_however_often_a_past_deadline_is_set_it_rings_once_and_now() -> None:
    alarm = Alarm()
    assert [wake.mono for _ in range(10) for wake in alarm.set(50, NOW, "a")] == [NOW.mono]


def test_a_wake_that_never_came_is_asked_for_again() -> None:
    alarm = Alarm()
    alarm.set(200, NOW, "a")
    assert alarm.set(400, Moment(wall=5_201, mono=201), "a") == [Wake(mono=400, agent_id="a")]
