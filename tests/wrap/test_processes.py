"""Processes as /proc shows them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clawatch.wrap import brake, processes
from clawatch.wrap.brake import Brake
from clawatch.wrap.processes import Process

Until = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "1000"])
    yield child
    child.kill()
    child.wait(10)


@pytest.fixture
def family(sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The sleeper is all that the brake in this process sees."""

    def only(root: int) -> dict[int, Process]:
        process = processes.read(sleeper.pid)
        return {} if process is None else {sleeper.pid: process}

    monkeypatch.setattr(processes, "descendants", only)


def test_a_hostile_name_does_not_confuse_the_reading(tmp_path: Any, until: Until) -> None:
    path = tmp_path / "a) Z 1 (b"
    path.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(path), "1000"])
    try:
        process = until(lambda: (one := processes.read(child.pid)) and one.state == "S" and one)
        assert (process.name, process.parent, process.pid) == ("a) Z 1 (b", os.getpid(), child.pid)
    finally:
        child.kill()
        child.wait(10)


def test_descendants_are_found_at_any_depth(until: Until) -> None:
    child = subprocess.Popen(["bash", "-c", "bash -c 'sleep 1000; true'; true"])
    found = until(lambda: (all_ := processes.descendants(child.pid)) and len(all_) == 2 and all_)
    try:
        inner, sleep = found.values()
        assert (inner.parent, sleep.parent, sleep.name) == (child.pid, inner.pid, "sleep")
        assert set(processes.descendants(os.getpid())) >= {child.pid, *found}
    finally:
        for one in found.values():
            processes.send(one, signal.SIGKILL)
        child.wait(10)


def test_a_later_process_of_the_same_pid_is_never_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    process = processes.read(sleeper.pid)
    assert process is not None
    assert processes.send(process._replace(started=process.started - 1), signal.SIGKILL) is None
    assert sleeper.poll() is None


def test_a_process_that_is_gone_is_nothing_to_complain_of(sleeper: subprocess.Popen[bytes]) -> None:
    process = processes.read(sleeper.pid)
    assert process is not None
    sleeper.kill()
    sleeper.wait(10)
    assert processes.send(process, signal.SIGTERM) is None
    assert processes.read(sleeper.pid) is None


def test_who_cannot_be_reached_is_named_and_the_pause_has_failed(
    sleeper: subprocess.Popen[bytes], family: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "send", lambda process, number: "Operation not permitted")
    monkeypatch.setattr(brake, "_DEADLINE", 0.2)
    outcome = Brake(None).pause()
    assert outcome == (False, f"still running: sleep (pid {sleeper.pid})")


def test_who_outlives_even_sigkill_is_named(
    sleeper: subprocess.Popen[bytes], family: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "send", lambda process, number: "Operation not permitted")
    monkeypatch.setattr(brake, "_DEADLINE", 0.2)
    outcome = Brake(None).stop(grace=0.1)
    assert outcome == (False, f"still alive: sleep (pid {sleeper.pid})")


def test_pausing_twice_and_resuming_twice_is_harmless(sleeper: subprocess.Popen[bytes], family: None) -> None:
    one = Brake(None)
    assert one.pause().is_done
    assert one.pause().is_done
    assert one.resume().is_done
    assert one.resume().is_done
    process = processes.read(sleeper.pid)
    assert process is not None
    assert process.state != "T"
