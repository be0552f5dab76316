from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from clawatch.apis.host import Host


class Machine:
    """Processor times as psutil tells them."""

    def __init__(self) -> None:
        self.user, self.idle, self.iowait, self.guest = 40.0, 50.0, 10.0, 5.0
        self.asked = 0

    def cpu_times(self) -> Any:
        self.asked += 1
        times = {"user": self.user, "idle": self.idle, "iowait": self.iowait, "guest": self.guest}
        return SimpleNamespace(_asdict=lambda: times)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(psutil, "cpu_times", machine.cpu_times)
    return machine


def test_the_figures_are_the_machines() -> None:
    figures = Host().read(0)
    assert 0 <= figures.cpu_percent <= 100
    assert abs(figures.memory_percent - psutil.virtual_memory().percent) < 20
    assert figures.process_bytes > 10_000_000
    assert abs(figures.load - os.getloadavg()[0]) < 5


def test_the_first_reading_is_since_the_machine_started(machine: Machine) -> None:
    assert Host().read(0).cpu_percent == 40.0  # the guests' time is within the users'


def test_a_later_one_is_since_the_one_before(machine: Machine) -> None:
    host = Host()
    host.read(0)
    machine.user += 1
    machine.idle += 2
    machine.iowait += 1
    assert host.read(1_000).cpu_percent == 25.0


def test_who_asks_again_within_a_second_gets_the_same_reading(machine: Machine) -> None:
    host = Host()
    first = host.read(5_000)
    machine.user += 100
    assert host.read(5_999) is first
    assert machine.asked == 1
    assert host.read(6_000).cpu_percent == 100.0


def test_times_that_stand_still_or_fall_keep_the_last_figure(machine: Machine) -> None:
    host = Host()
    before = host.read(0).cpu_percent
    machine.idle -= 5
    assert host.read(1_000).cpu_percent == before


def test_two_doors_do_not_shorten_each_others_span(machine: Machine) -> None:
    one, other = Host(), Host()
    one.read(0)
    other.read(0)
    machine.user += 1
    other.read(1_000)
    machine.idle += 1
    assert one.read(2_000).cpu_percent == 50.0
    assert other.read(2_000).cpu_percent == 0.0
