from __future__ import annotations

from clawatch.pulse import Pulse


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_is_late_when_it_was_silent_for_longer_than_its_patience() -> None:
    time = Time()
    pulse = Pulse(10.0, time)
    pulse.beat("rules")
    time.now += 10
    assert pulse.late() == []
    time.now += 0.1
    assert pulse.late() == ["rules"]
    pulse.beat("rules")
    assert pulse.late() == []


def test_a_loop_that_says_how_long_it_will_be_busy_has_that_time_too() -> None:
    time = Time()
    pulse = Pulse(10.0, time)
    pulse.beat("notifier", busy=60)
    pulse.beat("rules")
    time.now += 11
    assert pulse.late() == ["rules"]
    time.now += 60
    assert pulse.late() == ["notifier", "rules"]


def test_who_has_ended_is_not_late() -> None:
    time = Time()
    pulse = Pulse(10.0, time)
    pulse.beat("rules")
    pulse.forget("rules")
    pulse.forget("never began")
    time.now += 60
    assert pulse.late() == []
